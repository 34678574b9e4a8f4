import { randomInt } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Finding, fuzz, type FuzzReport, STALL } from "./fuzz.ts";

const USAGE = `fuzz [--requests 100000] [--seed N] [--clients 16] [--keep DIR]
Requests one step from good ones, seeded with real entries of every kind, to the whole program over HTTP. Ends with 1
for an answer of 500 or more that is not 503, for a process that did not survive, and for a turn of its event loop of more than ${STALL} ms.
--keep writes what was found as files. The same seed sends the same requests, but for keys and artifacts.`;

const print = (line: string) => process.stdout.write(`${line}\n`);
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: "string", default: "100000" },
      seed: { type: "string", default: String(randomInt(2 ** 31)) },
      clients: { type: "string", default: "16" },
      keep: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void print(USAGE);
  const [requests, seed, clients] = [values.requests, values.seed, values.clients].map(Number) as [
    number,
    number,
    number,
  ];
  print(`${requests} requests with seed ${seed}, ${clients} at a time`);
  const began = performance.now();
  let told = began;
  const report = await fuzz({
    requests,
    seed,
    clients,
    progress: (done, { resident }) => {
      if (performance.now() - told < 10_000) return;
      told = performance.now();
      print(`  ${done} sent, ${mib(resident)} resident`);
    },
  });
  print(`done in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  tell(report);
  if (values.keep !== undefined) await keep(values.keep, report);
  const own = report.stalls.filter(({ isOwn }) => isOwn);
  if (report.bad.length > 0 || own.length > 0 || !report.survived) process.exitCode = 1;
}

function tell({
  answers,
  pushbacks,
  bad,
  slowest,
  longestStall,
  stalls,
  resident,
  survived,
  complaints,
}: FuzzReport): void {
  const counts = [...answers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([status, count]) => `${status}: ${count}`);
  print(`answers: ${counts.join(", ")}`);
  for (const [what, count] of pushbacks) print(`  503, ${count} times: ${what.slice(0, 200)}`);
  print(`answers of 500 or more but 503, and none at all: ${bad.length}`);
  for (const finding of bad) print(`  ${describe(finding)}`);
  print(`the process ${survived ? "is alive: no unhandled rejection" : "DID NOT SURVIVE"}`);
  const own = stalls.filter(({ isOwn }) => isOwn);
  print(
    `longest turn of the event loop: ${longestStall.toFixed(0)} ms; above ${STALL} ms: ${own.length} of work, ` +
      `and ${stalls.length - own.length} of waiting for a processor that other programs had`,
  );
  for (const { milliseconds, near } of own) {
    print(`  ${milliseconds.toFixed(0)} ms, near ${near.map(describe).join("\n    ")}`);
  }
  print(`resident: ${mib(resident.before)} before, ${mib(resident.most)} at most, ${mib(resident.after)} after`);
  print(`slowest: ${slowest.slice(0, 5).map(describe).join("\n  ")}`);
  for (const complaint of complaints) print(`printed: ${complaint.slice(0, 400)}`);
}

function describe({ index, request, outcome, took }: Finding): string {
  const answer = "status" in outcome ? `${outcome.status} ${outcome.text.slice(0, 120)}` : `cut: ${outcome.cut}`;
  return `#${index} ${request.method} ${request.path.slice(0, 100)} (${request.body.length} bytes) ${took.toFixed(0)} ms: ${answer}`;
}

async function keep(folder: string, { bad, stalls, slowest }: FuzzReport): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const finding of [...bad, ...stalls.flatMap(({ near }) => near), ...slowest]) {
    const { index, request, ...rest } = finding;
    const body = Buffer.from(request.body).toString("base64");
    await writeFile(join(folder, `${index}.json`), JSON.stringify({ ...rest, ...request, body }, null, 2));
  }
}

await main();
