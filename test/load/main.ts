import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startChancery, type ChanceryProcess } from "@chancery/testing";
import { benchAuditor } from "./auditor-bench.ts";
import { closedLoop, type LoadResult } from "./closed-loop.ts";
import { benchExplorer } from "./explorer-bench.ts";
import { benchExport } from "./export-bench.ts";
import { percentile, spread } from "./figures.ts";
import { benchFsck } from "./fsck-bench.ts";
import { benchFulcio } from "./fulcio-bench.ts";
import { treeCpu } from "./process-cpu.ts";
import { benchRekor } from "./rekor-bench.ts";
import { benchLedger } from "./ledger-bench.ts";
import { describeMachine } from "./machine.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const USAGE = `bench [SCENARIO …] [--clients 1,8,32] [--rounds 3] [--seconds 3]
scenarios: ${SCENARIOS.map(({ name }) => name).join(", ")} (all by default)
bench fulcio […]: certificates, in all cases that matter (see bench fulcio --help)
bench rekor […]: both Rekor APIs, and what ten times too much does (see bench rekor --help)
bench ledger […]: what the CA's ledger costs a certificate (see bench ledger --help)
bench export […]: what an export of a whole log takes (see bench export --help)
bench fsck […]: what reading a whole log anew takes (see bench fsck --help)
bench explorer […]: how soon its pages are of use, in a real browser (see bench explorer --help)
bench auditor […]: what the auditor costs at rest, and how soon it sees (see bench auditor --help)
bench log […]: the log's engine alone (see bench log --help)`;

/** More requests than any round can send. */
const MOST_PER_SECOND = 6_000;

interface Round extends LoadResult {
  /** CPU microseconds per request: the program, and PostgreSQL. */
  readonly node: number;
  readonly database: number;
  /** And of this client. */
  readonly client: number;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      clients: { type: "string", default: "1,8,32" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      help: { type: "boolean" },
    },
  });
  const unknown = positionals.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (values.help === true || unknown.length > 0) {
    print(unknown.length > 0 ? `no scenario ${unknown.join(", ")}\n${USAGE}` : USAGE);
    process.exitCode = unknown.length > 0 ? 2 : 0;
    return;
  }
  await using stack = await startChancery();
  print(describeMachine("the program, its embedded PostgreSQL and this client"));
  print(`each figure: median of ${values.rounds} rounds of ${values.seconds} s (lowest–highest)\n`);
  for (const scenario of SCENARIOS) {
    if (positionals.length > 0 && !positionals.includes(scenario.name)) continue;
    print(`${scenario.name}: ${scenario.title}`);
    print(
      "  clients   requests/s              p50 ms               p99 ms               CPU µs Node          CPU µs PostgreSQL    of the client",
    );
    for (const clients of values.clients.split(",").map(Number)) {
      await measure(stack, scenario, clients, Number(values.rounds), Number(values.seconds));
    }
    print(`  resident: ${(treeCpu(stack.pid).resident / 2 ** 20).toFixed(0)} MiB\n`);
  }
}

async function measure(
  stack: ChanceryProcess,
  scenario: Scenario,
  clients: number,
  rounds: number,
  seconds: number,
): Promise<void> {
  const results: Round[] = [];
  for (let round = -1; round < rounds; round++) {
    const time = round < 0 ? Math.min(1, seconds) : seconds;
    const next = await scenario.prepare(stack, Math.ceil(time * MOST_PER_SECOND));
    const before = treeCpu(stack.pid);
    const result = await closedLoop(stack.url, { clients, seconds: time, expect: scenario.expect, next });
    const after = treeCpu(stack.pid);
    const perRequest = (used: number) => (used / result.requests) * 1e6;
    if (round >= 0) {
      results.push({
        ...result,
        node: perRequest(after.program - before.program),
        database: perRequest(after.children - before.children),
        client: perRequest(result.cpu),
      });
    }
  }
  const column = (pick: (round: Round) => number, digits: number) => spread(results.map(pick), digits).padEnd(21);
  const unexpected = results.reduce((sum, { unexpected: count }) => sum + count, 0);
  print(
    `  ${String(clients).padEnd(9)} ${column((r) => r.requests / r.seconds, 0)} ${column((r) => percentile(r, 0.5), 2)}` +
      `${column((r) => percentile(r, 0.99), 2)}${column((r) => r.node, 0)}${column((r) => r.database, 0)}${column((r) => r.client, 0)}` +
      (unexpected > 0 ? `  ${unexpected} UNEXPECTED ANSWERS` : ""),
  );
  if (unexpected > 0) process.exitCode = 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** In a process of its own, which runs the sources. */
async function benchLog(args: readonly string[]): Promise<void> {
  const program = join(import.meta.dirname, "log-bench.ts");
  const child = spawn(process.execPath, ["--conditions=@chancery/source", program, ...args], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
}

const [, , program, ...args] = process.argv;
if (program === "log") await benchLog(args);
else if (program === "fulcio") await benchFulcio(args);
else if (program === "rekor") await benchRekor(args);
else if (program === "auditor") await benchAuditor(args);
else if (program === "ledger") await benchLedger(args);
else if (program === "fsck") await benchFsck(args);
else if (program === "export") await benchExport(args);
else if (program === "explorer") await benchExplorer(args);
else await main();
