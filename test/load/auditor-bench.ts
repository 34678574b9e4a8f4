import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Database, runningEmbedded } from "@chancery/postgres";
import { type ChanceryProcess, startChancery } from "@chancery/testing";
import { closedLoop, type LoadRequest, type LoadResult } from "./closed-loop.ts";
import { treeCpu } from "./process-cpu.ts";
import { SCENARIOS } from "./scenarios.ts";

const USAGE = `bench auditor [--entries 2000] [--rest 60] [--no-detect] [--soak MINUTES] [--rate REQUESTS]
What the auditor beside the services costs at rest (CPU of program and PostgreSQL, with it and without it), and how long
after a change to the newest rows its alarm is there. --soak instead: load for so long, a tenth of it invalid, and every alarm
that is raised is a false one; exit code 1 if there is any. --rate: so many requests a second, not as many as it takes.`;

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
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return print(USAGE);
  if (values.soak !== undefined)
    return soak(Number(values.soak), values.rate === undefined ? Infinity : Number(values.rate));
  const [entries, rest] = [Number(values.entries), Number(values.rest)];
  const isDetecting = values.detect !== false;
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
    if (auditor === "on" && isDetecting) await measureDetection(stack);
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

/** As whoever owns the machine could. An involution, so that the same mends it. */
const flip = (table: string, column: string, where: string) =>
  `UPDATE log.${table} SET ${column} = set_byte(${column}, 3, get_byte(${column}, 3) # 1) WHERE log = $1 AND ${where} RETURNING 1`;

/** Away and back again. */
const MOVE_KEYS = `UPDATE log.search SET place = place # (1::bigint << 39)
  WHERE place IN (($1::bigint << 40) | $2, (($1::bigint << 40) | $2) # (1::bigint << 39)) RETURNING 1`;

async function measureDetection(stack: ChanceryProcess): Promise<void> {
  const url = await runningEmbedded(join(stack.data, "postgres"));
  if (url === undefined) throw new Error("the embedded PostgreSQL does not run");
  await using owner = await Database.open(url, { max: 1 });
  const [row] = await owner.query<{ id: number; size: bigint }>(
    "SELECT l.id, t.size FROM log.log l JOIN log.tree t ON t.log = l.id WHERE l.name = 'rekor'",
  );
  if (row === undefined) throw new Error("there is no log");
  const last = row.size - 1n;
  const kinds: [string, string, unknown[]][] = [
    ["a bit of the newest entry", flip("entry", "leaf", "index = $2"), [row.id, last]],
    ["a bit of its identity row", flip("identity", "hash", "index = $2"), [row.id, last]],
    ["its row of search keys under another place", MOVE_KEYS, [row.id, last]],
    ["a bit of the tile at the edge", flip("tile", "hashes", "level = 0 AND index = $2 / 256"), [row.id, last]],
    ["a bit of the stored edge", flip("tree", "edge", "true"), [row.id]],
    ["a bit of the stored root", flip("tree", "root", "true"), [row.id]],
    ["a bit of the stored checkpoint's root", flip("published", "root", "true"), [row.id]],
  ];
  print("from a change to the newest rows to its alarm, five times each:");
  for (const [what, sql, params] of kinds) {
    const seconds: number[] = [];
    for (let round = 0; round < 5; round++) {
      // At no particular time of its loops.
      await delay(Math.random() * 5_000);
      await change(owner, sql, params);
      const changed = performance.now();
      while ((await openAlarms(stack)).length === 0) await delay(50);
      seconds.push((performance.now() - changed) / 1000);
      await change(owner, sql, params);
      while ((await openAlarms(stack)).length > 0) await delay(100);
    }
    const [least, most] = [Math.min(...seconds), Math.max(...seconds)];
    print(`  ${what.padEnd(40)} ${least.toFixed(1)}–${most.toFixed(1)} s`);
  }
}

async function change(owner: Database, sql: string, params: readonly unknown[]): Promise<void> {
  await owner.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query(sql, params);
  });
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

async function openAlarms(stack: ChanceryProcess): Promise<Audit["alarms"]> {
  const { alarms } = await audit(stack);
  return alarms.filter(({ resolved }) => resolved === undefined);
}

async function audit(stack: ChanceryProcess): Promise<Audit> {
  return (await (await fetch(`${stack.url}/api/chancery/v1/audit`)).json()) as Audit;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
