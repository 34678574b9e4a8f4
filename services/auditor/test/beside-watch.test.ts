import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Queryable } from "@chancery/postgres";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AlarmBook } from "../src/domain/alarm.ts";
import { notInOrder } from "../src/domain/difference.ts";
import { TROUBLES } from "../src/domain/troubles.ts";
import { LogFolder } from "../src/state/log-folder.ts";
import { SettledAlarms, settleAlarm, settleable } from "../src/state/settled-alarms.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { BesideWatch } from "../src/watch/beside-watch.ts";
import { LogWatch } from "../src/watch/log-watch.ts";
import { DrawnLog } from "./drawn-log.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-beside-"));
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

const START = 1_790_000_000_000n;

/** Rows of entries and of their tree; `now` is the database's clock. */
class Rows {
  now = START;
  size = 0;
  times: bigint[] = [];

  readonly db = {
    query: async (sql: string, [, first, end]: readonly bigint[] = []) => {
      if (sql.includes("statement_timestamp")) return [{ size: BigInt(this.size), now: this.now }];
      if (!sql.includes("log.entry")) return [{ id: 1, size: BigInt(this.size) }];
      const rows = this.times.slice(0, this.size).map((time, at) => ({ index: BigInt(at), time, extra: null }));
      return rows.slice(Number(first), Number(end));
    },
  } as unknown as Queryable;

  grow(count: number): void {
    for (let at = 0; at < count; at++) this.times.push(this.now);
    this.size = this.times.length;
  }
}

async function begin(log: DrawnLog, rows: Rows, folder: LogFolder) {
  const state = await StateFolder.open(join(directory, "state"));
  const alarms = new AlarmBook(state, [], [], Date.now);
  const served = log.served();
  const read = served.leaves.read.bind(served.leaves);
  served.leaves.read = async (first, end) => {
    if (rows.size < log.leaves.length) throw new Error("the rows are not there");
    return read(first, end);
  };
  const watch = new LogWatch(log.log, [served], folder, { report: alarms, now: Date.now });
  const beside = new BesideWatch(
    watch,
    { db: rows.db, name: "drawn", anchor: undefined },
    alarms,
    new SettledAlarms(join(directory, "state")),
  );
  return async () => {
    await watch.pass();
    await beside.checkNew();
    return alarms.open.filter(({ trouble }) => trouble === "changed-beside").map(({ what }) => what);
  };
}

/** Ten entries are known; fifteen more come and are shown, the database is set back before they are read, for three minutes. */
async function setBack(folder: LogFolder, restart: boolean) {
  const rows = new Rows();
  rows.grow(10);
  const log = new DrawnLog(DrawnLog.named(10));
  await log.publish();
  const look = await begin(log, rows, folder);
  expect(await look()).toEqual([]);
  rows.now += 3_000n;
  rows.grow(15);
  log.leaves.push(...DrawnLog.named(15, "", 10).map((leaf) => Buffer.from(leaf)));
  await log.publish();
  rows.size = 10;
  for (let seconds = 0; seconds < 200; seconds += 10) {
    expect(await look()).toEqual([]);
    rows.now += 10_000n;
  }
  return { rows, look: restart ? await begin(log, rows, folder) : look };
}

test.for([false, true])(
  "entries whose checkpoint was seen before the database was set back are not misdated when their rows are back (after a restart: %s)",
  async (restart) => {
    await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
    const { rows, look } = await setBack(folder, restart);
    rows.size = 25;
    expect(await look()).toEqual([]);
    expect(folder.cursor("beside")).toMatch(/^25\//);
  },
);

test("an entry that is dated before its tree was seen is misdated also when the database was set back meanwhile", async () => {
  await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
  const { rows, look } = await setBack(folder, false);
  rows.times[24] = START - 3_600_000n;
  rows.size = 25;
  expect(await look()).toEqual([expect.stringMatching(/^entry 24 of .* has the time /)]);
});

test("a misdated entry, which no row mends, is over at an operator's word; a time that was changed is not", async () => {
  await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
  const { rows, look } = await setBack(folder, false);
  rows.times[24] = START - 3_600_000n;
  rows.size = 25;
  await look();
  const state = join(directory, "state");
  const [misdated] = await settleable(state);
  await settleAlarm(state, misdated?.id ?? "", "our clock was wrong", Date.now());
  expect(await look()).toEqual([]);
  expect(await look()).toEqual([]);
  const [time = 0n] = rows.times;
  rows.times[0] = time - 500n;
  expect(await look()).toEqual([expect.stringContaining("its time was")]);
  expect(await settleable(state)).toEqual([]);
  rows.times[0] = time;
  expect(await look()).toEqual([]);
});

test("the remedy of a changed time says how to mend the row, and names a signed entry timestamp for the v1 log alone", () => {
  const { remedy } = TROUBLES["changed-beside"];
  expect(remedy).toMatch(
    /Put the row of log\.entry back from a backup or a replica: README, "When something is wrong"/,
  );
  expect(remedy).toContain("of the v1 log in the bundles that clients hold (their signed entry timestamp)");
});

test("of two neighbours whose times are not in order both are named, for either may be the wrong one", () => {
  expect(notInOrder(6n, 5_000n, 1_005_000n).message).toContain("entry 5 or entry 6 has a wrong time");
  expect(notInOrder(0n, -1n, 0n).message).toBe("entry 0, time: expected 0 or later, found -1");
});
