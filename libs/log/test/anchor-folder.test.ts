import * as fs from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { anchorFolder } from "../src/anchor-folder.ts";

vi.mock("node:fs", { spy: true });

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "anchor-folder-"));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const add = (sequence: number, text: string) => anchorFolder.link(folder, anchorFolder.write(folder, text), sequence);

const lastCall = (calls: { readonly mock: { readonly invocationCallOrder: readonly number[] } }) =>
  Math.max(...calls.mock.invocationCallOrder);

test("what another process linked and did not live to force to disk is forced to disk before it is told", () => {
  add(1, "first");
  vi.clearAllMocks();
  expect(anchorFolder.newest(folder)).toEqual({ sequence: 1, text: "first" });
  const forced = lastCall(vi.mocked(fs.fsyncSync));
  expect(forced).toBeGreaterThan(lastCall(vi.mocked(fs.readdirSync)));
  expect(forced).toBeGreaterThan(lastCall(vi.mocked(fs.readFileSync)));
});

test("a number that others cleared away already is none", () => {
  add(1, "first");
  anchorFolder.clear(folder, [1, 2]);
  expect(anchorFolder.newest(folder)).toBeUndefined();
});
