import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { several } from "../src/export/entry-lines.ts";
import { verifyFile } from "../src/export/verify-file.ts";

test("a name with a bar in it is one name in its cell, and another than two", () => {
  expect(several(["a", "email:ceo@corp.example"])).toBe("a | email:ceo@corp.example");
  expect(several(["a | email:ceo@corp.example"])).toBe("a \\| email:ceo@corp.example");
  expect(several(["a \\| b", undefined])).toBe("a \\\\\\| b");
});

test("a file of one line without an end is read to its end, and told as what it is", async () => {
  const directory = await mkdtemp(join(tmpdir(), "verify-file-"));
  const path = join(directory, "export.jsonl");
  await writeFile(path, Buffer.alloc(70 * 1024 * 1024, "x"));
  const manifest = {
    kind: "refusals" as const,
    format: "jsonl" as const,
    created: "2026-01-01T00:00:00Z",
    filters: {},
    count: "0",
    bytes: "0",
    sha256: "0".repeat(64),
    logs: [],
  };
  const { findings } = await verifyFile(path, { ...manifest, keys: new Map() }, () => {});
  expect(findings).toContainEqual("line 1: has more than 67108864 bytes");
  expect(findings).toContainEqual("it has 73400320 bytes, 0 were signed for: 73400320 too many");
  await rm(directory, { recursive: true });
});
