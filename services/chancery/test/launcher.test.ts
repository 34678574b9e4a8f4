import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
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
  await writeFile(file, JSON.stringify({ passed: 2, failed: 1, leftOut: {} }));
  await expect(count()).rejects.toMatchObject({ code: 9, stdout: "2 passed, 1 failed\n" });
  await rm(file);
});

test.each([
  ["1", { passed: 1, failed: 2 }],
  ["", { passed: 1, failed: 0 }],
])(
  "a test that is skipped and says no reason is a failure where all clients are required (%j)",
  async (all, counts) => {
    const folder = await mkdtemp(join(tmpdir(), "chancery-skipped-"));
    await writeFile(
      join(folder, "a.test.ts"),
      `import { describe, expect, test } from "vitest";
     test("runs", () => expect(1).toBe(1));
     test.skip("is skipped", () => {});
     describe.skip("a whole", () => test("is skipped", () => {}));
     describe.skip("a browser [left out: no chromium (set CHROMIUM)]", () => test("is skipped", () => {}));
     test.skip("data of others (skipped without DATA)", () => {});
     test("says why", ({ skip }) => skip("because"));`,
    );
    const env = { ...process.env, CHANCERY_REQUIRE_CLIENTS: all, CHANCERY_TEST_COUNTS: join(folder, "counts.json") };
    const program = join(FOLDER, "../../node_modules/vitest/vitest.mjs");
    const reporter = join(FOLDER, "launch/count-reporter.mjs");
    const run = [program, "run", "--root", folder, `--reporter=${reporter}`];
    await promisify(execFile)(process.execPath, run, { cwd: FOLDER, env });
    const told = JSON.parse(await readFile(join(folder, "counts.json"), "utf8")) as { leftOut: object };
    expect(told).toMatchObject({ ...counts, skipped: 5 });
    expect(Object.keys(told.leftOut)).toHaveLength(5);
    await rm(folder, { recursive: true });
  },
);
