import { readdirSync, statSync } from "node:fs";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type ChanceryProcess, startChancery } from "@chancery/testing";
import { closedLoop, type LoadRequest, type LoadResult } from "./closed-loop.ts";
import { percentile, ratios, spread } from "./figures.ts";
import { describeMachine } from "./machine.ts";
import { certificates, type Certified, v1Entries, v2Entries } from "./rekor-requests.ts";
import { overload } from "./rekor-overload.ts";
import { ours, type RekorServer, startUpstreams } from "./rekor-servers.ts";
import { json, once } from "./scenario.ts";
import {
  findUpstreamRekor,
  type Generation,
  MissingPrograms,
  type Programs,
  upstreamVersions,
} from "./upstream-rekor.ts";

const USAGE = `bench rekor [--rows v1,one,v2,v2-512,index,hash,bytes] [--rounds 5] [--seconds 3] [--signers 64] [--profile DIR]
            [--upstream DIR]
bench rekor --overload [--seconds 60] [--factor 10]
Both Rekor APIs of the whole program on its embedded PostgreSQL: hashedrekords with certificates of its own CA, each
new, answered once they are published. All rows take turns within a round. --overload offers ten times what it can do,
and ends with 1 unless goodput, answers, memory and recovery are as they must be. --upstream runs upstream's Rekor v1
(Trillian, MariaDB, Redis) and v2 (files) in the same rounds: machines differ and drift, ratios of one round do not. DIR
holds their programs as go install makes them (rekor 1.5, trillian 1.7, rekor-tiles 2.3), MariaDB and Redis are found on
PATH; what is not there is named before anything starts. They stand still while it is not their turn.`;

interface Round extends LoadResult {
  /** CPU microseconds per request. */
  readonly programs: number;
  readonly databases: number;
  readonly client: number;
}

interface Row {
  readonly name: string;
  readonly title: string;
  /** Which of upstream's answers such requests. */
  readonly generation: Generation;
  readonly clients: number;
  readonly expect: number;
  /** Requests for one round. */
  readonly next: (count: number) => () => LoadRequest | undefined;
}

/** A row at one server. */
interface Case {
  readonly row: Row;
  readonly server: RekorServer;
  readonly rounds: Round[];
}

const print = (line: string) => process.stdout.write(`${line}\n`);
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
      upstream: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void print(USAGE);
  if (values.overload && values.upstream !== undefined) {
    return complain("--overload is about ours alone: leave out --upstream, or --overload for the rows.");
  }
  const wanted = new Set(values.rows.split(","));
  const generations = new Set(
    allRows([], []).flatMap(({ name, generation }) => (wanted.has(name) ? [generation] : [])),
  );
  let upstream: Programs | undefined;
  try {
    if (values.upstream !== undefined) upstream = findUpstreamRekor(resolve(values.upstream), generations);
  } catch (error) {
    if (!(error instanceof MissingPrograms)) throw error;
    return complain(error.message);
  }
  const profile = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
  await using open = new AsyncDisposableStack();
  const stack = open.use(await startChancery({ node: profile }));
  print(describeMachine("the program, its PostgreSQL and this client"));
  const signers = await certificates(stack, Number(values.signers));
  if (values.overload) {
    return await overload(stack, signers, { seconds: Number(values.seconds ?? 60), factor: Number(values.factor) });
  }
  const servers = [ours(stack)];
  if (upstream !== undefined) {
    print(`upstream: ${await upstreamVersions(upstream, generations)}`);
    servers.push(...(await startUpstreams(open, upstream, generations)));
  }
  const cases = await allCases(servers, signers, wanted);
  await measureAll(cases, Number(values.rounds), Number(values.seconds ?? 3));
  printTable(cases);
  for (const server of servers) print(`resident: ${server.name} ${server.memory()}`);
  if (wanted.has("bytes")) await printBytes(stack, signers);
}

function complain(sentence: string): void {
  process.stderr.write(`bench rekor: ${sentence}\n`);
  process.exitCode = 2;
}

/** Those of one row beside each other, so that what is compared is measured in turns. */
async function allCases(
  servers: readonly RekorServer[],
  signers: readonly Certified[],
  wanted: ReadonlySet<string>,
): Promise<readonly Case[]> {
  const cases: Case[] = [];
  for (const server of servers) {
    const rows = allRows(signers, await filled(server, signers));
    const its = rows.filter(({ name, generation }) => wanted.has(name) && server.generations.has(generation));
    cases.push(...its.map((row) => ({ row, server, rounds: [] })));
  }
  const places = allRows([], []).map(({ name }) => name);
  return cases.toSorted((one, other) => places.indexOf(one.row.name) - places.indexOf(other.row.name));
}

/** What its reads find: hashes of entries that are the first in its log. */
async function filled(server: RekorServer, signers: readonly Certified[]): Promise<readonly string[]> {
  if (!server.generations.has("v1")) return [];
  const { requests, hashes } = v1Entries(signers, server.fill);
  server.resume();
  report(server, await closedLoop(server.url, { clients: 64, seconds: 120, expect: 201, next: once(requests) }));
  await untilFound(server, hashes.at(-1) ?? "");
  server.pause();
  return hashes;
}

/** Upstream writes search keys after its answer, and answers a search that finds nothing as quickly as one that does. */
async function untilFound({ name, url }: RekorServer, hash: string): Promise<void> {
  const { headers, body } = json({ hash: `sha256:${hash}` });
  for (let tries = 0; tries < 100; tries++, await delay(100)) {
    const answer = await fetch(`${url}/api/v1/index/retrieve`, {
      method: "POST",
      headers: { ...headers },
      body: new Uint8Array(body ?? []),
    });
    if (((await answer.json()) as readonly string[]).length === 1) return;
  }
  throw new Error(`${name} does not find by its hash what was written`);
}

async function measureAll(cases: readonly Case[], rounds: number, seconds: number): Promise<void> {
  for (const one of cases) await measure(one, WARM_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const one of cases) one.rounds.push(await measure(one, seconds));
  }
  print(`median of ${rounds} rounds of ${seconds} s (lowest–highest); load ${loadavg()[0]?.toFixed(1)} at the end\n`);
}

function printTable(cases: readonly Case[]): void {
  print(
    `${"".padEnd(38)}clients  ` +
      ["requests/s", "p50 ms", "p99 ms", "CPU µs/request", "of it programs", "databases", "client"]
        .map((title) => title.padEnd(27))
        .join(""),
  );
  const compared = cases.filter(({ row }, at) => cases[at - 1]?.row.name === row.name);
  for (const one of cases) print(rowText(one, compared.includes(one) ? `  ${one.server.name}` : one.row.title));
  if (compared.length > 0) print("");
  for (const upstream of compared) {
    const our = cases.find(({ row }) => row.name === upstream.row.name);
    if (our !== undefined) printRatios(our, upstream);
  }
}

function allRows(signers: readonly Certified[], hashes: readonly string[]): readonly Row[] {
  const v1 = (count: number) => once(v1Entries(signers, count).requests);
  const v2 = (count: number) => once(v2Entries(signers, count));
  const written = { expect: 201, generation: "v1", next: v1 } as const;
  const writtenToV2 = { expect: 201, generation: "v2", next: v2 } as const;
  return [
    { ...written, name: "v1", title: "v1 hashedrekord with certificate", clients: 128 },
    { ...written, name: "one", title: "v1 hashedrekord, one client", clients: 1 },
    { ...writtenToV2, name: "v2", title: "v2 hashedrekord with certificate", clients: 128 },
    { ...writtenToV2, name: "v2-512", title: "v2 hashedrekord, many clients", clients: 512 },
    {
      name: "index",
      title: "v1 GET by logIndex",
      generation: "v1",
      clients: 8,
      expect: 200,
      next: () => () => ({ method: "GET", path: `/api/v1/log/entries?logIndex=${any(hashes.length)}` }),
    },
    {
      name: "hash",
      title: "v1 index/retrieve by hash",
      generation: "v1",
      clients: 8,
      expect: 200,
      next: () => () => ({
        method: "POST",
        path: "/api/v1/index/retrieve",
        ...json({ hash: `sha256:${hashes[any(hashes.length)]}` }),
      }),
    },
  ];
}

const any = (limit: number) => Math.floor(Math.random() * limit);

async function measure({ row, server }: Case, seconds: number): Promise<Round> {
  const { clients, expect, next } = row;
  const requests = next(Math.ceil(seconds * (clients === 1 ? 1_000 : server.mostPerSecond)));
  server.resume();
  const before = server.cpu();
  const result = await closedLoop(server.url, { clients, seconds, expect, next: requests });
  const after = server.cpu();
  server.pause();
  report(server, result);
  const perRequest = (used: number) => (used / result.requests) * 1e6;
  return {
    ...result,
    programs: perRequest(after.programs - before.programs),
    databases: perRequest(after.databases - before.databases),
    client: perRequest(result.cpu),
  };
}

function report({ name }: RekorServer, { unexpected, surprise }: LoadResult): void {
  if (surprise === undefined) return;
  print(`${unexpected} UNEXPECTED ANSWERS of ${name}: ${surprise}`);
  process.exitCode = 1;
}

function rowText({ row, rounds }: Case, title: string): string {
  const column = (pick: (round: Round) => number, digits: number) => spread(rounds.map(pick), digits).padEnd(27);
  return (
    `${title.padEnd(38)}${String(row.clients).padEnd(9)}` +
    column((r) => r.requests / r.seconds, 0) +
    column((r) => percentile(r, 0.5), 2) +
    column((r) => percentile(r, 0.99), 2) +
    column((r) => r.programs + r.databases, 0) +
    column((r) => r.programs, 0) +
    column((r) => r.databases, 0) +
    column((r) => r.client, 0)
  );
}

function printRatios({ row, rounds }: Case, upstream: Case): void {
  const ratio = (pick: (round: Round) => number, digits: number) => ratios(rounds, upstream.rounds, pick, digits);
  print(
    `${row.title}${row.clients === 1 ? "" : `, ${row.clients} clients`}: ours / upstream's: ` +
      `requests/s ${ratio((r) => r.requests / r.seconds, 2)}, p50 ${ratio((r) => percentile(r, 0.5), 3)}, ` +
      `CPU ${ratio((r) => r.programs + r.databases, 3)}`,
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
