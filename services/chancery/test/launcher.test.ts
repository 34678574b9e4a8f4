import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const FOLDER = join(import.meta.dirname, "..");

function node(...argv: string[]) {
  return promisify(execFile)(process.execPath, argv, { cwd: FOLDER });
}

test.each([
  ["test", "npm test"],
  ["faults", "npm run faults"],
  ["soak", "npm run soak"],
])("%s --help explains itself and runs nothing", async (command, said) => {
  const { stdout, stderr } = await node("launch.mjs", command, "--help");
  expect(stdout).toMatch(/^usage: npm/);
  expect(stdout).toContain(said);
  expect([stderr, stdout.includes("CHANCERY_FAULT_SEED=")]).toEqual(["", false]);
});

test("a run that left no counts is no passing one", async () => {
  const file = join(tmpdir(), `chancery-launcher-${process.pid}.json`);
  const program = `import { printCounts } from "./launch/test-counts.mjs"; process.exitCode = printCounts(process.argv[1]) ? 0 : 9;`;
  const count = () => node("--input-type=module", "-e", program, file);
  await expect(count()).rejects.toMatchObject({ code: 9, stderr: "chancery: the test run left no counts\n" });
  await writeFile(file, JSON.stringify({ passed: 2, failed: 0, leftOut: {} }));
  expect((await count()).stdout).toBe("2 passed, 0 failed\n");
  await rm(file);
});
