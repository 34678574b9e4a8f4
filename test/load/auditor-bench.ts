import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type ChanceryProcess, startChancery } from "@chancery/testing";
import { closedLoop, type LoadRequest, type LoadResult } from "./closed-loop.ts";
import { treeCpu } from "./process-cpu.ts";
import { SCENARIOS } from "./scenarios.ts";
import { measureDetection } from "./tip-detection.ts";

const USAGE = `bench auditor [--entries 2000] [--rest 60] [--no-detect] [--kinds LIST] [--soak MINUTES] [--rate REQUESTS]
What the auditor beside the services costs at rest (CPU of program and PostgreSQL, with it and without it), and how long
after each kind of tampering with what is newest its alarm is there; exit code 1 if one takes more than ten seconds.
--kinds: these alone, and no cost: entry, deleted, swapped, stale, node, leaf-hash, tile, partial, index, unindexed,
certificate, trust, fork. --soak instead: load for so long, a tenth of it invalid, and every alarm that is raised is a false
one; exit code 1 if there is any. --rate: so many requests a second, not as many as it takes.`;

interface Audit {
  readonly canary: { readonly failures: number; readonly latencyMillis: number | null };
  readonly lastPass: string | null;
  readonly logs: readonly { readonly log: string; readonly verifiedSize: string }[];
  readonly checks: readonly { readonly name: string; readonly state: string; readonly what: string }[];
  readonly alarms: readonly {
    readonly trouble: string;
    readonly check: string;
    readonly what: string;
    readonly resolved?: string;
  }[];
}

export async function benchAuditor(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      entries: { type: "string", default: "2000" },
      rest: { type: "string", default: "60" },
      soak: { type: "string" },
      rate: { type: "string" },
      detect: { type: "boolean" },
      kinds: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return print(USAGE);
  if (values.soak !== undefined)
    return soak(Number(values.soak), values.rate === undefined ? Infinity : Number(values.rate));
  const [entries, rest] = [Number(values.entries), Number(values.rest)];
  const kinds = values.kinds?.split(",") ?? [];
  if (kinds.length === 0) await measureCost(entries, rest);
  if (values.detect !== false && !(await measureDetection(kinds, print))) process.exitCode = 1;
}

async function measureCost(entries: number, rest: number): Promise<void> {
  for (const auditor of ["off", "on"] as const) {
    await using stack = await startChancery({ auditor });
    await load(stack, "write", entries);
    if (auditor === "on") await untilJudged(stack, entries);
    await delay(10_000);
    const before = treeCpu(stack.pid);
    await delay(rest * 1000);
    const after = treeCpu(stack.pid);
    const share = (from: number, to: number) => `${(((to - from) / rest) * 100).toFixed(2)} %`;
    print(
      `auditor ${auditor}, ${entries} entries, at rest for ${rest} s: program ${share(before.program, after.program)} of a core, ` +
        `PostgreSQL ${share(before.children, after.children)}, resident ${(after.resident / 2 ** 20).toFixed(0)} MiB`,
    );
  }
}

/** What is new is at rest once each entry was judged. */
async function untilJudged(stack: ChanceryProcess, entries: number): Promise<void> {
  for (;;) {
    const { checks } = await audit(stack);
    const judged = checks.find(({ name }) => name === "entries of rekor")?.what ?? "";
    if (Number(/^\d+/.exec(judged)?.[0] ?? 0) >= entries) return;
    await delay(500);
  }
}

/** A round of each kind of load, a tenth of all invalid. */
const ROUND = ["write", "read", "tsa"] as const;
const ROUND_SECONDS = 8;
const CLIENTS = 16;

async function soak(minutes: number, rate: number): Promise<void> {
  await using stack = await startChancery({ auditor: "on" });
  const began = Date.now();
  const end = began + minutes * 60_000;
  const before = treeCpu(stack.pid);
  let requests = 0;
  let unexpected = 0;
  while (Date.now() < end) {
    for (const name of ROUND) {
      const done = await loadFor(stack, name, rate);
      requests += done.requests;
      unexpected += done.unexpected;
    }
    requests += await invalid(stack, rate === Infinity ? 200 : Math.round((rate * ROUND.length * ROUND_SECONDS) / 9));
    const { alarms, logs } = await audit(stack);
    const sizes = logs.map(({ log, verifiedSize }) => `${log} ${verifiedSize}`).join(", ");
    const minute = ((Date.now() - began) / 60_000).toFixed(1);
    print(`minute ${minute}: ${requests} requests, proven ${sizes}, ${alarms.length} alarms`);
  }
  await delay(20_000);
  const after = treeCpu(stack.pid);
  const { alarms, checks, canary } = await audit(stack);
  for (const { check, trouble, what } of alarms) print(`FALSE ALARM ${check} (${trouble}): ${what}`);
  for (const { name, state, what } of checks) if (state !== "passed") print(`${state} at the end: ${name}: ${what}`);
  const seconds = (Date.now() - began) / 1000;
  const share = (spent: number) => `${((spent / seconds) * 100).toFixed(1)} %`;
  const cpu = `program ${share(after.program - before.program)} of a core, PostgreSQL ${share(after.children - before.children)}`;
  print(`${cpu}; canary: ${canary.failures} failures, last ${canary.latencyMillis} ms; ${checks.length} checks`);
  const perSecond = (requests / seconds).toFixed(1);
  const others = `${unexpected} answers that were not expected`;
  print(`${minutes} minutes, ${requests} requests (${perSecond}/s), ${others}, ${alarms.length} false alarms`);
  if (alarms.length > 0) process.exitCode = 1;
}

async function load(stack: ChanceryProcess, name: string, requests: number): Promise<void> {
  let left = requests;
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  const next = await scenario.prepare(stack, requests);
  const once = () => (left-- > 0 ? next() : undefined);
  await closedLoop(stack.url, { clients: 16, seconds: 600, expect: scenario.expect, next: once });
}

type Answered = Pick<LoadResult, "requests" | "unexpected">;

async function loadFor(stack: ChanceryProcess, name: string, rate: number): Promise<Answered> {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  const { prepare, expect } = scenario;
  if (rate === Infinity) {
    const next = await prepare(stack, ROUND_SECONDS * 3_000);
    return closedLoop(stack.url, { clients: CLIENTS, seconds: ROUND_SECONDS, expect, next });
  }
  const count = Math.round(rate * ROUND_SECONDS);
  const next = await prepare(stack, count);
  return openLoop(stack.url, { count, rate, expect, next });
}

/** One request each so often, whatever has become of those before. */
async function openLoop(
  origin: string,
  { count, rate, expect, next }: { count: number; rate: number; expect: number; next: () => LoadRequest | undefined },
): Promise<Answered> {
  const began = performance.now();
  const answers: Promise<number>[] = [];
  for (let sent = 0; sent < count; sent++) {
    await delay(Math.max(0, began + (sent * 1_000) / rate - performance.now()));
    const request = next();
    if (request !== undefined) answers.push(send(origin, request));
  }
  const statuses = await Promise.all(answers);
  return { requests: statuses.length, unexpected: statuses.filter((status) => status !== expect).length };
}

async function send(origin: string, { method, path, headers = {}, body }: LoadRequest): Promise<number> {
  const answer = await fetch(origin + path, { method, headers, ...(body && { body: Buffer.from(body) }) });
  await answer.arrayBuffer();
  return answer.status;
}

/** Each is to be refused, and to leave nothing behind. */
async function invalid(stack: ChanceryProcess, count: number): Promise<number> {
  for (let at = 0; at < count; at++) {
    const body = at % 2 === 0 ? "{" : JSON.stringify({ kind: "hashedrekord", apiVersion: "0.0.1", spec: { data: at } });
    const answer = await fetch(`${stack.url}/api/v1/log/entries`, { method: "POST", body });
    await answer.arrayBuffer();
  }
  return count;
}

async function audit(stack: ChanceryProcess): Promise<Audit> {
  return (await (await fetch(`${stack.url}/api/chancery/v1/audit`)).json()) as Audit;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
