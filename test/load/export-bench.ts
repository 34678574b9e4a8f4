import { spawn } from "node:child_process";
import { rm, stat } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Database, startEmbedded } from "@chancery/postgres";
import { startChancery } from "@chancery/testing";
import { spread } from "./figures.ts";
import { fillRekor, issueCertificate } from "./filled-log.ts";
import { treeCpu } from "./process-cpu.ts";

const USAGE = `bench export [--entries 200000] [--rounds 3]
chancery export and export verify of a whole log, as processes of their own, start included. Each entry is a
hashedrekord with a certificate of its own, as people get them with their e-mail address.`;

const MAIN = join(import.meta.dirname, "../../services/chancery/dist/main.js");

const print = (line: string) => process.stdout.write(`${line}\n`);

export async function benchExport(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      entries: { type: "string", default: "200000" },
      rounds: { type: "string", default: "3" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) print(USAGE);
  else await bench(Number(values.entries), Number(values.rounds));
}

async function bench(entries: number, rounds: number): Promise<void> {
  await using stack = await startChancery();
  const certificate = await issueCertificate(stack.url);
  await stack.stop();
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startEmbedded({ directory: join(stack.data, "postgres") }));
  const db = opened.use(await Database.open(server.url));
  await fillRekor(db, stack.data, certificate, entries);
  const out = join(stack.data, "export");
  print(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}, ${entries} entries`);
  print(`each figure: median of ${rounds} rounds (lowest–highest)`);
  for (const format of ["bare", "jsonl", "csv"]) {
    const flags = ["--log", "rekor", "--format", format, "--data", stack.data];
    const [exports, verifications]: [Run[], Run[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      exports.push(await run(["export", "entries", "--out", out, ...flags]));
      verifications.push(await run(["export", "verify", out, `${out}.manifest`, "--data", stack.data]));
      if (round === rounds - 1) print(`  ${format}: ${((await stat(out)).size / 1e6).toFixed(0)} MB`);
      await Promise.all([rm(out), rm(`${out}.manifest`)]);
    }
    for (const [name, runs] of Object.entries({ export: exports, verify: verifications })) {
      const rate = spread(
        runs.map(({ seconds }) => entries / seconds),
        0,
      );
      const cpu = spread(
        runs.map((one) => (one.cpu * 1e6) / entries),
        1,
      );
      const database = spread(
        runs.map((one) => (one.database * 1e6) / entries),
        1,
      );
      print(
        `    ${name.padEnd(7)} ${rate} entries/s, CPU ${cpu} µs an entry${name === "export" ? `, PostgreSQL ${database}` : ""}`,
      );
    }
  }
  print(`load ${loadavg()[0]?.toFixed(1)} at the end`);
}

/** In seconds. */
interface Run {
  readonly seconds: number;
  readonly cpu: number;
  readonly database: number;
}

/** As a process of its own, its start included. CPU as it was last seen, at most a tenth of a second before its end. */
async function run(args: readonly string[]): Promise<Run> {
  const started = performance.now();
  const { children: before } = treeCpu(process.pid);
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  let cpu = 0;
  const timer = setInterval(() => {
    try {
      cpu = treeCpu(child.pid ?? 0).program;
    } catch {
      // It has ended.
    }
  }, 100);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`chancery ${args.join(" ")} ended with ${String(code)}`);
  const database = treeCpu(process.pid).children - before - cpu;
  return { seconds: (performance.now() - started) / 1000, cpu, database };
}
