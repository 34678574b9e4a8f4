// Runs Chancery from a clone: installs what is missing, builds what has changed, then starts the asked-for
// program under the workspace's own Node 26. Plain JavaScript without dependencies, because it runs before
// there are any, under whatever Node (20 or newer) the host has.

import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { develop } from "./launch/dev.mjs";
import { build, install, NODE } from "./launch/prepare.mjs";
import { ROOT } from "./launch/root.mjs";
import { runForeground, runTied } from "./launch/run.mjs";
import { wrongArgument } from "./launch/serve-flags.mjs";
import { rememberSignals, Stopped } from "./launch/stop.mjs";
import { countsFile, printCounts } from "./launch/test-counts.mjs";

const MAIN = join(ROOT, "services/chancery/dist/main.js");
const BIN = (name) => join(ROOT, "node_modules", name);

/** Three at a time also on two cores: half the time they wait for what they killed or stopped. */
const FAULTS = ["--project=faults", "--maxWorkers=3"];

/** vitest leaves a core to others, which of two is half; but a test often waits for what it started. */
const TESTS = ["--project=!faults", `--maxWorkers=${Math.max(2, availableParallelism() - 1)}`];

const USAGE = `usage: node services/chancery/launch.mjs COMMAND [ARGUMENTS]

  serve    install, build and run the whole stack (npm start)
  dev      the same, rebuilt and restarted on every change (npm run dev)
  test     every test but the fault tests (npm test); arguments go to vitest
  faults   kills, stops, cuts and fills what the log runs on (npm run faults); arguments go to vitest
  soak     the fault tests with ten times as many faults (npm run soak)
  fsck     checks whole logs, hash by hash (npm run fsck -- --help)
  chancery the program's other commands (npm run chancery -- init --help)
  bench    measures the hot paths (npm run bench)
  fuzz     requests that are nearly good, by the hundred thousand (npm run fuzz -- --help)
  screenshots  remakes docs/screenshots; needs Chromium (npm run screenshots)
  check    types, lint and format (npm run check)
  format   formats (npm run format)
`;

const TEST_USAGE = `usage: npm test -- [ARGUMENTS]

Every test but the fault tests. Arguments go to vitest: part of a file's name for these files alone, -t NAME for
tests of that name. Exit codes: 0 all passed, otherwise not, also where no test ran to its end.
`;

const FAULTS_USAGE = `usage: npm run faults -- [ARGUMENTS]
       npm run soak -- [ARGUMENTS]

The fault tests: kill, stop, cut and fill what the log runs on, and hold it to its promises; soak throws ten times as
many faults. Arguments go to vitest: part of a file's name for these files alone, -t NAME for tests of that name.
Exit codes: 0 all passed, otherwise not, also where no test ran to its end.

  CHANCERY_FAULT_SEED    throws the same dice again           random, told at the start
  CHANCERY_FAULT_FACTOR  how many times as many faults        1; of soak 10
`;

const COMMANDS = {
  async serve(args) {
    refuseWrong(args);
    await install();
    await build();
    return runTied(NODE, [MAIN, "serve", ...args]);
  },

  async dev(args) {
    refuseWrong(args);
    await install();
    return develop(NODE, [MAIN, "serve", ...args]);
  },

  async test(args) {
    if (asksForHelp(args)) return explain(TEST_USAGE);
    return await runTests([...TESTS, ...args]);
  },

  async faults(args) {
    if (asksForHelp(args)) return explain(FAULTS_USAGE);
    return await runFaults(args);
  },

  async soak(args) {
    if (asksForHelp(args)) return explain(FAULTS_USAGE);
    process.env.CHANCERY_FAULT_FACTOR ??= "10";
    return await runFaults(args);
  },

  async fsck(args) {
    await install();
    await build();
    return runForeground(NODE, [MAIN, "fsck", ...args]);
  },

  async chancery(args) {
    await install();
    await build();
    return runForeground(NODE, [MAIN, ...args]);
  },

  async bench(args) {
    await install();
    await build();
    return runForeground(NODE, [join(ROOT, "test/load/main.ts"), ...args]);
  },

  async fuzz(args) {
    await install();
    await build();
    return runForeground(NODE, [join(ROOT, "test/fuzz/main.ts"), ...args]);
  },

  async screenshots(args) {
    await install();
    await build();
    return runForeground(NODE, [join(ROOT, "test/explorer/screenshots.ts"), ...args]);
  },

  async check() {
    await install();
    await build();
    const steps = [
      [NODE, [BIN("typescript/bin/tsc"), "-p", "tsconfig.tests.json"]],
      [NODE, [BIN("oxlint/bin/oxlint"), "--type-aware", "--deny-warnings"]],
      [NODE, [BIN("oxfmt/bin/oxfmt"), "--check"]],
    ];
    const codes = [];
    for (const [program, args] of steps) codes.push(await runForeground(program, args));
    return Math.max(...codes);
  },

  async format(args) {
    await install();
    return runForeground(NODE, [BIN("oxfmt/bin/oxfmt"), ...args]);
  },
};

/**
 * Before minutes of installing. Only of what starts the program itself: the other commands know their own flags, each in
 * its module, and a second list of them here would be one that goes stale.
 */
function refuseWrong(args) {
  const wrong = wrongArgument(args);
  if (wrong !== undefined) throw new Refused(wrong);
}

/** Told something impossible. */
class Refused extends Error {
  code = 2;
}

function asksForHelp(args) {
  return args.includes("--help") || args.includes("-h");
}

function explain(usage) {
  process.stdout.write(usage);
  return 0;
}

/** The same seed throws the same dice again: which process is killed, and when. */
async function runFaults(args) {
  process.env.CHANCERY_FAULT_SEED ??= String(randomInt(2 ** 31));
  process.stdout.write(`chancery: fault tests with CHANCERY_FAULT_SEED=${process.env.CHANCERY_FAULT_SEED}\n`);
  return await runTests([...FAULTS, ...args]);
}

async function runTests(args) {
  await install();
  await build();
  // A caller's file adds up all runs that it is named for.
  const kept = process.env.CHANCERY_TEST_COUNTS;
  const counts = kept || countsFile();
  if (!kept) await rm(counts, { force: true });
  const reporters = args.some((arg) => arg.startsWith("--reporter")) ? [] : ["--reporter=default"];
  const reporter = join(import.meta.dirname, "launch/count-reporter.mjs");
  const code = await runForeground(
    NODE,
    [BIN("vitest/vitest.mjs"), "run", ...reporters, `--reporter=${reporter}`, ...args],
    { env: { CHANCERY_TEST_COUNTS: counts } },
  );
  const passed = printCounts(counts);
  if (!kept) await rm(counts, { force: true });
  return passed ? code : code || 1;
}

const [name, ...args] = process.argv.slice(2);
if (!Object.hasOwn(COMMANDS, name ?? "") || !existsSync(join(ROOT, "pnpm-lock.yaml"))) {
  process.stderr.write(USAGE);
  process.exit(2);
}
rememberSignals();
try {
  process.exitCode = await COMMANDS[name](args);
} catch (error) {
  if (!(error instanceof Stopped)) {
    process.stderr.write(`chancery: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  process.exitCode = error instanceof Stopped || error instanceof Refused ? error.code : 1;
}
