import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { SERVE_FLAGS } from "../src/serve-flags.ts";

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

/** A clone without packages: whoever installs there needs a registry, and there is none. */
async function freshClone(): Promise<string> {
  const clone = await mkdtemp(join(tmpdir(), "chancery-clone-"));
  await cp(join(FOLDER, "launch.mjs"), join(clone, "services/chancery/launch.mjs"));
  await cp(join(FOLDER, "launch"), join(clone, "services/chancery/launch"), { recursive: true });
  await writeFile(join(clone, "pnpm-lock.yaml"), "");
  return clone;
}

describe("a start that is told something wrong", () => {
  test.each([
    [["serve", "--prot", "9000"], "command line: Unknown option '--prot'"],
    [["dev", "--prot=9000"], "command line: Unknown option '--prot'"],
    [["serve", "--port"], "command line: Option '--port <value>' argument missing"],
    [["serve", "9000"], "9000: is one word too many; flags go after `--`: npm start -- --port 9000"],
  ])("is refused before anything is installed: %j", async (argv, said) => {
    const clone = await freshClone();
    const launcher = join(clone, "services/chancery/launch.mjs");
    const failed = await promisify(execFile)(process.execPath, [launcher, ...argv]).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 2, stdout: "", stderr: `chancery: ${said}\n` });
    expect(await readdir(clone)).toEqual(["pnpm-lock.yaml", "services"]);
    await rm(clone, { recursive: true });
  });

  test("goes by the flags that the program takes", async () => {
    const program = `import { SERVE_FLAGS } from "./launch/serve-flags.mjs"; console.log(JSON.stringify(SERVE_FLAGS));`;
    const { stdout } = await node("--input-type=module", "-e", program);
    expect(JSON.parse(stdout)).toEqual(SERVE_FLAGS);
  });
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
