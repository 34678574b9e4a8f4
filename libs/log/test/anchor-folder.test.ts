import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { anchorFolder } from "../src/anchor-folder.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "anchor-folder-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const add = (sequence: number, text: string) => anchorFolder.link(folder, anchorFolder.write(folder, text), sequence);

test("a number that others cleared away already is none", () => {
  add(1, "first");
  anchorFolder.clear(folder, [1, 2]);
  expect(anchorFolder.newest(folder)).toBeUndefined();
});
