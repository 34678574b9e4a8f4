import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type IssuedEntry, PostgresIssuanceLedger } from "@chancery/fulcio";
import { Database, startEmbedded } from "@chancery/postgres";
import { percentile, spread } from "./figures.ts";
import { inFlight, type Measured } from "./in-flight.ts";
import { treeCpu } from "./process-cpu.ts";

const USAGE = `bench ledger [--clients 1,32] [--rounds 5] [--seconds 2]
What the issuance ledger costs a certificate: one durable entry at a time for each client, nothing else.`;

const CERTIFICATE = new Uint8Array(randomBytes(1400));

const print = (line: string) => process.stdout.write(`${line}\n`);

interface Round extends Measured {
  /** CPU microseconds an entry. */
  readonly node: number;
  readonly database: number;
}

export async function benchLedger(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: "string", default: "1,32" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "2" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) print(USAGE);
  else await bench(values.clients.split(",").map(Number), Number(values.rounds), Number(values.seconds));
}

async function bench(clients: readonly number[], rounds: number, seconds: number): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "chancery-bench-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const server = opened.use(await startEmbedded({ directory }));
  const db = opened.use(await Database.open(server.url));
  const ledger = await PostgresIssuanceLedger.open(db);
  print(
    "clients  entries/s            p50 ms               p99 ms               CPU µs Node          CPU µs PostgreSQL",
  );
  for (const count of clients) {
    const results: Round[] = [];
    await inFlight(count, { seconds: 2 }, () => ledger.recordIssued(entry()));
    for (let round = 0; round < rounds; round++) {
      const [before, own] = [treeCpu(process.pid), process.cpuUsage()];
      const measured = await inFlight(count, { seconds }, () => ledger.recordIssued(entry()));
      const { user, system } = process.cpuUsage(own);
      const database = treeCpu(process.pid).children - before.children;
      results.push({
        ...measured,
        node: (user + system) / measured.count,
        database: (database * 1e6) / measured.count,
      });
    }
    const column = (pick: (result: Round) => number, digits: number) => spread(results.map(pick), digits).padEnd(21);
    print(
      `${String(count).padEnd(9)}${column((r) => r.count / r.seconds, 0)}${column((r) => percentile(r, 0.5), 2)}` +
        `${column((r) => percentile(r, 0.99), 2)}${column((r) => r.node, 0)}${column((r) => r.database, 0)}`,
    );
  }
  print(`load ${loadavg()[0]?.toFixed(1)} at the end`);
}

/** As large as a CI's certificate. Its bytes are made of few random ones, so that making them costs little. */
function entry(): IssuedEntry {
  const random = randomBytes(116);
  const hash = (at: number) => new Uint8Array(random.buffer, random.byteOffset + at * 32, 32);
  return {
    time: Date.now(),
    issuer: "https://token.actions.githubusercontent.com",
    subject: "repo:acme/app:ref:refs/heads/main",
    san: {
      type: "uri",
      value: `https://github.com/acme/app-${random[0]}/.github/workflows/release.yml@refs/heads/main`,
    },
    serial: new Uint8Array(random.buffer, random.byteOffset + 96, 20),
    certificate: CERTIFICATE,
    certificateHash: hash(0),
    keyHash: hash(1),
    claimsHash: hash(2),
    ctIndex: BigInt(random.readUInt32BE(0)),
    wouldRefuse: undefined,
  };
}
