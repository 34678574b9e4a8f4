import { readdirSync, statSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ChanceryProcess, startChancery } from "@chancery/testing";
import { closedLoop, type LoadRequest, type LoadResult } from "./closed-loop.ts";
import { percentile, spread } from "./figures.ts";
import { describeMachine } from "./machine.ts";
import { treeCpu } from "./process-cpu.ts";
import { certificates, type Certified, v1Entries, v2Entries } from "./rekor-requests.ts";
import { overload } from "./rekor-overload.ts";
import { json, once } from "./scenario.ts";

const USAGE = `bench rekor [--rows v1,one,v2,v2-512,index,hash,bytes] [--rounds 5] [--seconds 3] [--signers 64] [--profile DIR]
bench rekor --overload [--seconds 60] [--factor 10]
Both Rekor APIs of the whole program on its embedded PostgreSQL: hashedrekords with certificates of its own CA, each
new, answered once they are published. All rows take turns within a round. --overload offers ten times what it can do,
and ends with 1 unless goodput, answers, memory and recovery are as they must be.`;

interface Round extends LoadResult {
  /** CPU microseconds per request. */
  readonly node: number;
  readonly database: number;
  readonly client: number;
}

interface Row {
  readonly name: string;
  readonly title: string;
  readonly clients: number;
  readonly expect: number;
  /** Requests for one round. */
  readonly next: (count: number) => () => LoadRequest | undefined;
  readonly rounds: Round[];
}

const print = (line: string) => process.stdout.write(`${line}\n`);
/** More than any round can send. */
const MOST_PER_SECOND = 6_000;
/** What reads find; so many that no row of the database is always the same. */
const FILL = 5_000;
const WARM_SECONDS = 3;

export async function benchRekor(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string", default: "v1,one,v2,v2-512,index,hash,bytes" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string" },
      signers: { type: "string", default: "64" },
      overload: { type: "boolean", default: false },
      factor: { type: "string", default: "10" },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void print(USAGE);
  const profile = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
  await using stack = await startChancery({ node: profile });
  print(describeMachine("the program, its PostgreSQL and this client"));
  const signers = await certificates(stack, Number(values.signers));
  if (values.overload) {
    return await overload(stack, signers, { seconds: Number(values.seconds ?? 60), factor: Number(values.factor) });
  }
  const seconds = Number(values.seconds ?? 3);
  const wanted = new Set(values.rows.split(","));
  await measureAll(stack, signers, wanted, Number(values.rounds), seconds);
  if (wanted.has("bytes")) await printBytes(stack, signers);
}

async function measureAll(
  stack: ChanceryProcess,
  signers: readonly Certified[],
  wanted: ReadonlySet<string>,
  rounds: number,
  seconds: number,
): Promise<void> {
  const filled = v1Entries(signers, FILL);
  await closedLoop(stack.url, { clients: 64, seconds: 120, expect: 201, next: once(filled.requests) });
  const rows = allRows(signers, filled.hashes).filter(({ name }) => wanted.has(name));
  for (const row of rows) await measure(stack, row, WARM_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) row.rounds.push(await measure(stack, row, seconds));
  }
  print(`median of ${rounds} rounds of ${seconds} s (lowest–highest); load ${loadavg()[0]?.toFixed(1)} at the end\n`);
  print(
    `${"".padEnd(38)}clients  ` +
      ["requests/s", "p50 ms", "p99 ms", "CPU µs/request", "of it Node", "PostgreSQL", "client"]
        .map((title) => title.padEnd(24))
        .join(""),
  );
  for (const row of rows) print(rowText(row));
  print(`resident: ${(treeCpu(stack.pid).resident / 2 ** 20).toFixed(0)} MiB`);
}

function allRows(signers: readonly Certified[], hashes: readonly string[]): readonly Row[] {
  const expect = 201;
  const v1 = (count: number) => once(v1Entries(signers, count).requests);
  const v2 = (count: number) => once(v2Entries(signers, count));
  return [
    { expect, name: "v1", title: "v1 hashedrekord with certificate", clients: 128, next: v1, rounds: [] },
    { expect, name: "one", title: "v1 hashedrekord, one client", clients: 1, next: v1, rounds: [] },
    { expect, name: "v2", title: "v2 hashedrekord with certificate", clients: 128, next: v2, rounds: [] },
    { expect, name: "v2-512", title: "v2 hashedrekord, many clients", clients: 512, next: v2, rounds: [] },
    {
      name: "index",
      title: "v1 GET by logIndex",
      clients: 8,
      expect: 200,
      next: () => () => ({ method: "GET", path: `/api/v1/log/entries?logIndex=${any(FILL)}` }),
      rounds: [],
    },
    {
      name: "hash",
      title: "v1 index/retrieve by hash",
      clients: 8,
      expect: 200,
      next: () => () => ({
        method: "POST",
        path: "/api/v1/index/retrieve",
        ...json({ hash: `sha256:${hashes[any(hashes.length)]}` }),
      }),
      rounds: [],
    },
  ];
}

const any = (limit: number) => Math.floor(Math.random() * limit);

async function measure(stack: ChanceryProcess, { clients, expect, next }: Row, seconds: number): Promise<Round> {
  const requests = next(Math.ceil(seconds * (clients === 1 ? 1_000 : MOST_PER_SECOND)));
  const before = treeCpu(stack.pid);
  const result = await closedLoop(stack.url, { clients, seconds, expect, next: requests });
  const after = treeCpu(stack.pid);
  if (result.surprise !== undefined) {
    print(`${result.unexpected} UNEXPECTED ANSWERS: ${result.surprise}`);
    process.exitCode = 1;
  }
  const perRequest = (used: number) => (used / result.requests) * 1e6;
  return {
    ...result,
    node: perRequest(after.program - before.program),
    database: perRequest(after.children - before.children),
    client: perRequest(result.cpu),
  };
}

function rowText({ title, clients, rounds }: Row): string {
  const column = (pick: (round: Round) => number, digits: number) => spread(rounds.map(pick), digits).padEnd(24);
  return (
    `${title.padEnd(38)}${String(clients).padEnd(9)}` +
    column((r) => r.requests / r.seconds, 0) +
    column((r) => percentile(r, 0.5), 2) +
    column((r) => percentile(r, 0.99), 2) +
    column((r) => r.node + r.database, 0) +
    column((r) => r.node, 0) +
    column((r) => r.database, 0) +
    column((r) => r.client, 0)
  );
}

const SIZED = 20_000;

/** What the files of all tables and indexes grow by: search keys, identities and tiles with it, the write-ahead log without. */
async function printBytes(stack: ChanceryProcess, signers: readonly Certified[]): Promise<void> {
  const folder = join(stack.data, "postgres");
  const before = tableBytes(folder);
  const { requests } = v1Entries(signers, SIZED);
  await closedLoop(stack.url, { clients: 128, seconds: 600, expect: 201, next: once(requests) });
  const bytes = (tableBytes(folder) - before) / SIZED;
  print(`${(bytes / 1000).toFixed(2)} kB of tables and indexes per v1 entry with its search keys (${SIZED} entries)`);
}

function tableBytes(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile() && /(^|\/)base(\/|$)/.test(file.parentPath))
    .reduce((sum, file) => sum + sizeOf(join(file.parentPath, file.name)), 0);
}

/** PostgreSQL removes files meanwhile. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
