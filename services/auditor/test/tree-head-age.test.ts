import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AlarmBook } from "../src/domain/alarm.ts";
import { LogFolder } from "../src/state/log-folder.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { TreeHeadAge } from "../src/watch/tree-head-age.ts";
import { DrawnLog } from "./drawn-log.ts";

const START = Date.parse("2026-11-21T12:00:00Z");
const HOUR = 3_600_000;
const headOf = (size: number, time = START) => ({ size: BigInt(size), root: new Uint8Array(32), time: BigInt(time) });

let directory: string;
let now: number;
let alarms: AlarmBook;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-age-"));
  now = START;
  alarms = new AlarmBook(await StateFolder.open(directory), [], [], () => now);
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

/** The log's rows say so too. */
const always = async () => true;
const openTroubles = () => alarms.open.map(({ trouble, what }) => `${trouble}: ${what}`);

test("a tree head that nobody renews is stale, unless its log is frozen and says so", async () => {
  await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
  const log = new DrawnLog([]);
  const age = new TreeHeadAge({ log: "ctlog/2026", folder, report: alarms, now: () => now, isMeant: always });
  const look = () => age.judge(headOf(7), log.served());
  expect(await look()).toBe("");
  now += 2 * HOUR;
  await expect(look()).rejects.toMatchObject({ trouble: "stale", message: expect.stringContaining("7200 s ago") });
  log.isFrozen = true;
  now += 60_000;
  expect(await look()).toBe("; the log is frozen, and this its last tree head is of 2026-11-21T12:00:00.000Z");
  expect(openTroubles()).toEqual(["frozen: ctlog/2026 says that it is frozen, with 7 entries"]);
  now += 60_000;
  await look();
  expect(openTroubles()).toEqual([]);
  expect(alarms.checks).toMatchObject([{ name: "freeze of ctlog/2026", state: "passed" }]);
});

test("a log whose word alone it is that it is frozen, which nothing signed says, is an alarm until somebody else says so", async () => {
  await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
  const log = new DrawnLog([]);
  log.isFrozen = true;
  const meant = new Set<string>();
  const isMeant = async (what: string) => meant.has(what);
  const age = new TreeHeadAge({ log: "ctlog/2026", folder, report: alarms, now: () => now, isMeant });
  now += 2 * HOUR;
  for (let look = 0; look < 3; look++) {
    await age.judge(headOf(7), log.served());
    expect(openTroubles()).toEqual(["frozen: ctlog/2026 says that it is frozen, with 7 entries"]);
    now += HOUR;
  }
  meant.add("ctlog/2026 says that it is frozen, with 7 entries");
  await age.judge(headOf(7), log.served());
  expect(openTroubles()).toEqual([]);
});

test("what was frozen for ever and signs again is an alarm, also to an auditor that was started anew", async () => {
  await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
  await folder.remember({ origin: "a", signer: "a", keys: [], proven: { size: 0n, edge: [] }, note: undefined });
  const log = new DrawnLog([]);
  log.isFrozen = true;
  now += 2 * HOUR;
  const age = () => new TreeHeadAge({ log: "ctlog/2026", folder, report: alarms, now: () => now, isMeant: always });
  await age().judge(headOf(7), log.served());
  // The same head is no news.
  expect(await age().judge(headOf(7), log.served())).toContain("frozen");
  expect(openTroubles()).toEqual([]);
  for (const head of [headOf(8), headOf(7, now)]) {
    await expect(age().judge(head, log.served())).rejects.toMatchObject({
      trouble: "changed-state",
      message: "ctlog/2026 was frozen for ever at 7 entries, and signs again",
    });
  }
});

test("a log that does not answer the question is not taken for frozen", async () => {
  await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
  const age = new TreeHeadAge({ log: "ctlog/2026", folder, report: alarms, now: () => now });
  const served = { ...new DrawnLog([]).served(), isFrozen: async () => Promise.reject(new Error("cannot be reached")) };
  now += 2 * HOUR;
  await expect(age.judge(headOf(7), served)).rejects.toMatchObject({ trouble: "stale" });
});
