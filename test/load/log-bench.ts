import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createKeyFile } from "../../libs/crypto/src/index.ts";
import { type EmbeddedPostgres, startEmbedded } from "../../libs/postgres/src/index.ts";
import { compareCosts } from "./entry-cost.ts";
import { percentile, spread } from "./figures.ts";
import { inFlight, type Measured } from "./in-flight.ts";
import { type LogSite, MOST_KEYS, newEntry, openLog, type OpenLog, sizeOf } from "./log-node.ts";
import { describeMachine } from "./machine.ts";
import { postmasterPid, treeCpu } from "./process-cpu.ts";

const USAGE = `bench log [--sizes 10000] [--large] [--clients 1,8,32,128,512] [--processes 1,2,3,4] [--readers 8]
          [--keys 7] [--rounds 3] [--seconds 3] [--directory DIR]
The engine in this process on an embedded PostgreSQL: entries of 1,351 bytes with the search keys that Rekor's of a
certificate have, or the first --keys of them, each answered once its checkpoint is published. --large also measures
with 3,000,000 entries (7 GB, minutes), and what an entry costs there against a small log; --directory keeps the database for the next run. An empty list leaves its part out.`;

const LARGE = 3_000_000;
const FILL = 2048;

interface Plan {
  readonly sizes: readonly number[];
  readonly clients: readonly number[];
  readonly processes: readonly number[];
  readonly readers: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  readonly keys: number;
}

interface Round extends Measured {
  /** CPU microseconds per call. */
  readonly node: number;
  readonly database: number;
}

const print = (line: string) => process.stdout.write(`${line}\n`);
const numbers = (list: string) => list.split(",").filter(Boolean).map(Number);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      sizes: { type: "string", default: "10000" },
      large: { type: "boolean", default: false },
      clients: { type: "string", default: "1,8,32,128,512" },
      processes: { type: "string", default: "1,2,3,4" },
      readers: { type: "string", default: "8" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      keys: { type: "string", default: String(MOST_KEYS) },
      directory: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void print(USAGE);
  const plan = {
    sizes: [...numbers(values.sizes), ...(values.large ? [LARGE] : [])],
    clients: numbers(values.clients),
    processes: numbers(values.processes),
    readers: numbers(values.readers),
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    keys: Number(values.keys),
  };
  const directory = values.directory ?? (await mkdtemp(join(tmpdir(), "chancery-bench-")));
  print(describeMachine("the log, its embedded PostgreSQL and this client"));
  print(
    `entries with ${plan.keys} search keys; each figure: median of ${plan.rounds} rounds of ${plan.seconds} s (lowest–highest)\n`,
  );
  try {
    await bench(directory, plan);
  } finally {
    if (values.directory === undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function bench(directory: string, plan: Plan): Promise<void> {
  const place = await openPlace(directory, plan.keys);
  try {
    for (const [at, size] of plan.sizes.entries()) {
      await fillTo(place.site, size);
      // Before all else, while it is of this size.
      if (at > 0 && plan.clients.length > 0) await compareWithSmall(place, plan);
      await measureSize(place.site, plan);
      await place.server.stop();
      const began = performance.now();
      await place.start();
      const started = performance.now();
      await using node = await openLog(place.site);
      const ready = performance.now();
      const ofPostgres = Math.round(started - began);
      print(`  ready ${Math.round(ready - began)} ms after the start, of which PostgreSQL ${ofPostgres} ms`);
      await printBytes(node);
      print("");
    }
  } finally {
    await place.server.stop();
  }
}

/** A server with a log in it, in a folder. */
interface Place {
  readonly directory: string;
  server: EmbeddedPostgres;
  readonly site: LogSite;
  readonly start: () => Promise<void>;
}

async function openPlace(directory: string, keys: number): Promise<Place> {
  const anchors = join(directory, "anchor");
  const keyFile = join(directory, "key.pem");
  await mkdir(anchors, { recursive: true });
  const fresh = !existsSync(keyFile);
  if (fresh) await createKeyFile(keyFile, "ecdsa-p256");
  const startServer = () => startEmbedded({ directory: join(directory, "postgres") });
  const place: Place = {
    directory,
    server: await startServer(),
    get site() {
      return { url: this.server.url, anchors, keyFile, keys };
    },
    start: async () => {
      place.server = await startServer();
    },
  };
  if (fresh) await (await openLog(place.site, true))[Symbol.asyncDispose]();
  return place;
}

/** What an entry costs in the largest log against one of the first size, which is made anew, for it has grown since. */
async function compareWithSmall(large: Place, plan: Plan): Promise<void> {
  const clients = plan.clients.at(-1) ?? 1;
  const directory = await mkdtemp(join(tmpdir(), "chancery-bench-"));
  const small = await openPlace(directory, plan.keys);
  try {
    await fillTo(small.site, plan.sizes[0] ?? 0);
    // Both stay open: a connection just made has each of PostgreSQL's buffers mapped anew, a page at a time.
    await using nodes = new AsyncDisposableStack();
    const opened = async ({ site, directory: home }: Place) => ({
      log: nodes.use(await openLog(site)).log,
      postgres: postmasterPid(join(home, "postgres")),
    });
    const lines = await compareCosts(await opened(small), await opened(large), { clients, keys: plan.keys });
    for (const line of lines) print(line);
  } finally {
    await small.server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureSize(site: LogSite, plan: Plan): Promise<void> {
  await using node = await openLog(site);
  print(`${await sizeOf(node)} entries`);
  await measureReads(node, plan);
  if (plan.clients.length > 0) print(`  in flight entries/s           ${HEADINGS}`);
  for (const clients of plan.clients) await measure(clients, plan, () => node.log.append(newEntry(site.keys)));
  if (plan.processes.length > 0) await measureProcesses(site, plan, plan.clients.at(-1) ?? 512);
}

/** Random entries with their proofs. What a tile costs when it is read for the first time is told apart. */
async function measureReads(node: OpenLog, plan: Plan): Promise<void> {
  const { size } = (await node.log.published()).head;
  const read = async () => {
    const index = BigInt(Math.floor(Math.random() * Number(size)));
    await Promise.all([node.log.entry(index), node.log.inclusionProof(index, size)]);
  };
  for (const readers of plan.readers.slice(0, 1)) {
    const { count, seconds } = await inFlight(readers, { count: Math.ceil(Number(size) / 256) * 3 }, read);
    print(
      `  the first ${count} entries with proof after a start: ${Math.round(count / seconds)}/s by ${readers} readers`,
    );
  }
  if (plan.readers.length > 0) print(`  readers   entries with proof/s${HEADINGS}`);
  for (const readers of plan.readers) await measure(readers, plan, read);
}

const HEADINGS = "  p50 ms               p99 ms               CPU µs Node          CPU µs PostgreSQL";

async function measure(clients: number, plan: Plan, call: () => Promise<unknown>): Promise<void> {
  const rounds: Round[] = [];
  await runRound(clients, Math.min(1, plan.seconds), call);
  for (let round = 0; round < plan.rounds; round++) rounds.push(await runRound(clients, plan.seconds, call));
  const column = (pick: (round: Round) => number, digits: number) => spread(rounds.map(pick), digits).padEnd(21);
  print(
    `  ${String(clients).padEnd(9)} ${column((r) => r.count / r.seconds, 0)} ${column((r) => percentile(r, 0.5), 2)}` +
      `${column((r) => percentile(r, 0.99), 2)}${column((r) => r.node, 0)}${column((r) => r.database, 0)}`,
  );
}

async function runRound(clients: number, seconds: number, call: () => Promise<unknown>): Promise<Round> {
  const before = treeCpu(process.pid);
  const measured = await inFlight(clients, { seconds }, call);
  const after = treeCpu(process.pid);
  const perCall = (used: number) => (used / measured.count) * 1e6;
  return {
    ...measured,
    node: perCall(after.program - before.program),
    database: perCall(after.children - before.children),
  };
}

interface ProcessesRound {
  readonly rate: number;
  /** CPU microseconds an entry, of all processes of the log together. */
  readonly node: number;
  readonly database: number;
}

/**
 * Each number of processes with the same number in flight in all, so that only their number differs. In every round
 * each number has its turn: what the machine's speed does meanwhile it does to all.
 */
async function measureProcesses(site: LogSite, plan: Plan, clients: number): Promise<void> {
  const rounds = plan.processes.map((): ProcessesRound[] => []);
  for (let round = 0; round < plan.rounds; round++) {
    for (const [at, count] of plan.processes.entries()) {
      rounds[at]?.push(await runProcesses(site, count, clients, plan.seconds));
    }
  }
  print(`  processes entries/s, ${clients} in flight CPU µs Node          CPU µs PostgreSQL`);
  for (const [at, count] of plan.processes.entries()) {
    const column = (pick: (round: ProcessesRound) => number) => spread((rounds[at] ?? []).map(pick), 0).padEnd(22);
    print(`  ${String(count).padEnd(9)} ${column((r) => r.rate)} ${column((r) => r.node)}${column((r) => r.database)}`);
  }
}

async function runProcesses(site: LogSite, count: number, clients: number, seconds: number): Promise<ProcessesRound> {
  const args = [site.url, site.anchors, site.keyFile, String(site.keys), String(clients / count), String(seconds)];
  const program = join(import.meta.dirname, "log-process.ts");
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ["--conditions=@chancery/source", program, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    }),
  );
  await Promise.all(children.map(nextLine));
  const before = treeCpu(process.pid);
  for (const child of children) child.stdin.write("go\n");
  const reports = (await Promise.all(children.map(nextLine))).map((line) => line.split(" ").map(Number));
  const after = treeCpu(process.pid);
  const ended = children.map((child) => once(child, "exit"));
  for (const child of children) child.stdin.end();
  await Promise.all(ended);
  const total = (column: number) => reports.reduce((sum, report) => sum + (report[column] ?? Number.NaN), 0);
  const [entries, node] = [total(0), total(1) / 1e6];
  const database = after.children - before.children - node;
  return { rate: entries / seconds, node: (node / entries) * 1e6, database: (database / entries) * 1e6 };
}

async function nextLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("a process without an output");
  const line = once(child.stdout, "data").then(([chunk]) => String(chunk).trim());
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`a process of the log ended with ${String(code)}`);
  });
  return await Promise.race([line, ended]);
}

async function fillTo(site: LogSite, size: number): Promise<void> {
  await using node = await openLog(site);
  const missing = size - Number(await sizeOf(node));
  if (missing <= 0) return;
  const { count, seconds } = await inFlight(FILL, { count: missing }, () => node.log.append(newEntry(site.keys)));
  print(`filled with ${count} entries, ${FILL} in flight: ${Math.round(count / seconds)}/s`);
}

async function printBytes(node: OpenLog): Promise<void> {
  const size = Number(await sizeOf(node));
  const rows = await node.db.query<{ name: string; heap: bigint; total: bigint }>(
    `SELECT relname AS name, pg_table_size(oid) AS heap, pg_total_relation_size(oid) AS total
     FROM pg_class WHERE relnamespace = 'log'::regnamespace AND relkind IN ('r', 'p') ORDER BY total DESC`,
  );
  const total = rows.reduce((sum, row) => sum + Number(row.total), 0);
  const perEntry = (bytes: number) => Math.round(bytes / size);
  const parts = rows
    .filter((row) => perEntry(Number(row.total)) > 0)
    .map((row) => `${row.name} ${perEntry(Number(row.heap))} + ${perEntry(Number(row.total - row.heap))}`);
  print(`  bytes per entry: ${perEntry(total)} at ${size} entries (rows + indexes: ${parts.join(", ")})`);
}

await main();
