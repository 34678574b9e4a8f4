import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AlarmBook } from "../src/domain/alarm.ts";
import { LogFolder } from "../src/state/log-folder.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { LogWatch } from "../src/watch/log-watch.ts";
import { DrawnLog } from "./drawn-log.ts";

let directory: string;
const opened: LogFolder[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-damaged-"));
});
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder[Symbol.asyncDispose]();
  // That an alarm is over is written without anyone waiting for it.
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

async function watching(log: DrawnLog) {
  const state = await StateFolder.open(directory);
  const alarms = new AlarmBook(state, await state.alarms(), [], Date.now);
  const folder = await LogFolder.open(join(directory, "logs", "drawn"));
  opened.push(folder);
  const served = log.served();
  const watch = new LogWatch(log.log, [served], folder, { report: alarms, now: Date.now });
  return { watch, alarms, served };
}

async function logOf(count: number): Promise<DrawnLog> {
  const log = new DrawnLog(DrawnLog.named(count));
  await log.publish();
  return log;
}

/** The subjects of open alarms. */
const subjects = ({ open }: AlarmBook) => open.map(({ subject = "none" }) => subject).toSorted();

/** One bit of it is another. */
const flipped = (at: number, tile: Uint8Array | undefined) =>
  tile?.map((octet, place) => (place === at ? octet ^ 1 : octet));

test("a damaged tile hides none behind it and none before it; the round and a restart forget neither, and each is over when it is mended", async () => {
  const log = await logOf(1300);
  await (await watching(log)).watch.pass();
  const changed = new Set([300, 310, 600]);
  log.lie = (level, index, truth) => (level === 0 && index === 3n ? flipped(96, truth) : truth);
  const damaged = async () => {
    const { watch, alarms, served } = await watching(log);
    served.leaves.read = async (first, end) =>
      log.leaves
        .slice(Number(first), Number(end))
        .map((leaf, at) => (changed.has(Number(first) + at) ? Buffer.from("another") : leaf));
    // The tiles are of the leaves as they are.
    return { watch, alarms };
  };
  const { watch, alarms } = await damaged();
  for (let tile = 0n; tile < 5n; tile++) await watch.checkTile(tile);
  const all = ["rekor leaf 300", "rekor leaf 310", "rekor leaf 600", "rekor leaf 771"];
  expect(subjects(alarms)).toEqual(all);
  await watch.checkTile(0n);
  expect(subjects(alarms)).toEqual(all);
  const restarted = await damaged();
  await restarted.watch.checkTile(0n);
  expect(subjects(restarted.alarms)).toEqual(all);
  changed.delete(310);
  changed.delete(600);
  await restarted.watch.checkTile(4n);
  expect(subjects(restarted.alarms)).toEqual(["rekor leaf 300", "rekor leaf 771"]);
  expect(restarted.alarms.checks.find(({ name }) => name.startsWith("old tiles"))?.what).toMatch(/; and 1 more$/);
  changed.clear();
  log.lie = (_level, _index, truth) => truth;
  await restarted.watch.checkTile(0n);
  expect(restarted.alarms.open).toEqual([]);
});

test("hundreds of damaged tiles are ten alarms and one that says there are more", async () => {
  const log = await logOf(40 * 256);
  const { watch, alarms } = await watching(log);
  await watch.pass();
  log.lie = (level, _index, truth) => (level === 0 ? flipped(5, truth) : truth);
  for (let tile = 0n; tile < 40n; tile++) await watch.checkTile(tile);
  expect(alarms.open).toHaveLength(11);
  expect(alarms.open[0]?.what).toMatch(/^more than are told one by one, of which one is: rekor, tile 0\/10, hash 0: /);
  expect(alarms.checks.find(({ name }) => name.startsWith("old tiles"))?.what).toMatch(/; and 39 more$/);
  log.lie = (_level, _index, truth) => truth;
  for (let look = 0; look < 5; look++) await watch.checkTile(0n);
  expect(alarms.open).toEqual([]);
});

test("the edge names each of its hashes and entries that was changed", async () => {
  const log = await logOf(300);
  const { watch, alarms } = await watching(log);
  await watch.pass();
  log.lie = (level, _index, truth) => (level === 1 ? Buffer.alloc(32) : truth);
  log.leaves = log.leaves.with(260, Buffer.from("another")).with(299, Buffer.from("another"));
  await watch.checkEdge();
  expect(subjects(alarms)).toEqual(["rekor leaf 260", "rekor leaf 299", "rekor tile 1/0 hash 0"]);
});

test("the 1,001st checkpoint that cannot be proven is not dropped in silence", async () => {
  const log = await logOf(3);
  const { watch, alarms } = await watching(log);
  await watch.pass();
  const folder = join(directory, "logs", "drawn", "unproven");
  for (let at = 0; at < 1_000; at++) await writeFile(join(folder, `${at}.note`), "no checkpoint");
  await watch.folder.keepUnproven(Buffer.from("another"));
  await watch.pass();
  expect(alarms.open.map(({ trouble }) => trouble)).toContain("unproven");
});
