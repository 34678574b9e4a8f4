import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { Database, startEmbedded } from "@chancery/postgres";
import { startChancery } from "@chancery/testing";
import { spread } from "./figures.ts";
import { fillRekor, issueCertificate } from "./filled-log.ts";
import { describeMachine } from "./machine.ts";
import { treeCpu } from "./process-cpu.ts";

const USAGE = `bench fsck [--entries 300000] [--rounds 5] [--profile DIR]
chancery fsck of one log through its URL and in its database, in turns, as it says itself how long it took: reader,
server and PostgreSQL share the machine. Each entry is a hashedrekord with a certificate of its own.`;

const MAIN = join(import.meta.dirname, "../../services/chancery/dist/main.js");

const print = (line: string) => process.stdout.write(`${line}\n`);

export async function benchFsck(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      entries: { type: "string", default: "300000" },
      rounds: { type: "string", default: "5" },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void print(USAGE);
  const profile = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
  const [entries, rounds] = [Number(values.entries), Number(values.rounds)];
  await using first = await startChancery();
  const certificate = await issueCertificate(first.url);
  await first.stop();
  await fill(first.data, certificate, entries);
  await using stack = await startChancery({ data: first.data, node: profile });
  print(`${describeMachine("reader, server and PostgreSQL")}; ${entries} entries`);
  print(`each figure: median of ${rounds} rounds (lowest–highest)`);
  const ways = { "by its URL": ["--url", stack.url], "in its database": ["--data", stack.data] };
  const runs = new Map(Object.keys(ways).map((way): [string, Run[]] => [way, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [way, flags] of Object.entries(ways)) {
      const run = await check(stack.pid, [...profile, MAIN, "fsck", "--log", "rekor", "--json", ...flags]);
      if (round >= 0) runs.get(way)?.push(run);
    }
  }
  for (const [way, measured] of runs) {
    const column = (pick: (run: Run) => number) => spread(measured.map(pick), 1);
    const rate = spread(
      measured.map(({ seconds }) => entries / seconds),
      0,
    );
    const perEntry = (cpu: number) => (cpu * 1e6) / entries;
    print(
      `  ${way.padEnd(16)} ${rate} entries/s, CPU an entry: reader ${column((run) => perEntry(run.reader))} µs, ` +
        `server ${column((run) => perEntry(run.server))}, PostgreSQL ${column((run) => perEntry(run.database))}`,
    );
  }
}

async function fill(data: string, certificate: Uint8Array, entries: number): Promise<void> {
  await using server = await startEmbedded({ directory: join(data, "postgres") });
  await using db = await Database.open(server.url);
  await fillRekor(db, data, certificate, entries);
}

/** In seconds; the first is how long it took, the others CPU. */
interface Run {
  readonly seconds: number;
  readonly reader: number;
  readonly server: number;
  readonly database: number;
}

async function check(server: number, args: readonly string[]): Promise<Run> {
  const before = treeCpu(server);
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  let reader = 0;
  const timer = setInterval(() => {
    try {
      reader = treeCpu(child.pid ?? 0).program;
    } catch {
      // It has ended.
    }
  }, 50);
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  clearInterval(timer);
  if (code !== 0) throw new Error(`fsck ended with ${String(code)}: ${said}`);
  const after = treeCpu(server);
  return {
    seconds: (JSON.parse(said) as { seconds: number }).seconds,
    reader,
    server: after.program - before.program,
    database: after.children - before.children,
  };
}
