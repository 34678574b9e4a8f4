import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AlarmBook } from "../src/domain/alarm.ts";
import type { Trouble } from "../src/domain/troubles.ts";
import { settleable, settleAlarm, SettledAlarms } from "../src/state/settled-alarms.ts";
import { StateFolder } from "../src/state/state-folder.ts";

let directory: string;
let book: AlarmBook;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "settled-alarms-"));
  book = new AlarmBook(await StateFolder.open(directory), [], [], () => 0);
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

const tell = (trouble: Trouble, what: string) => book.failed("a check", { trouble, what, isOneOfMany: true });
const idOf = (what: string) => book.open.find((alarm) => alarm.what === what)?.id ?? "";

test("what an operator settled is settled for every process after, and for nothing but what was told", async () => {
  await tell("lost-ledger", "one row");
  await tell("lost-ledger", "another row");
  expect((await settleable(directory)).map(({ what }) => what).toSorted()).toEqual(["another row", "one row"]);
  const settled = new SettledAlarms(directory);
  expect(await settled.refresh()).toEqual([]);
  await settleAlarm(directory, idOf("one row"), "no backup has it", 0);
  const told = { trouble: "lost-ledger", what: "one row", because: "no backup has it", at: "1970-01-01T00:00:00Z" };
  expect(await settled.refresh()).toEqual([{ alarm: idOf("one row"), ...told }]);
  expect(await settled.refresh()).toEqual([]);
  for (const one of [settled, new SettledAlarms(directory)]) {
    await one.refresh();
    expect(one.has("lost-ledger", "one row")).toBe(true);
    expect(one.has("lost-ledger", "another row")).toBe(false);
    expect(one.has("unlogged-certificate", "one row")).toBe(false);
  }
  book.settled("lost-ledger", "one row", "no backup has it");
  expect(book.open.map(({ what }) => what)).toEqual(["another row"]);
  expect(book.alarms.find(({ what }) => what === "one row")?.reason).toBe("no backup has it");
});

test.for<[string, () => Promise<unknown>]>([
  ["a fork", () => settleAlarm(directory, idOf("two histories"), "it was us", 0)],
  ["an alarm that is not open", () => settleAlarm(directory, "6a0e8b0e-0000-4000-8000-000000000000", "why not", 0)],
  ["a path in place of an alarm", () => settleAlarm(directory, "../alarms", "why not", 0)],
  ["no reason", () => settleAlarm(directory, idOf("one row"), " ", 0)],
  ["a reason of two lines", () => settleAlarm(directory, idOf("one row"), "a\nb", 0)],
  ["a folder of something else", () => settleable(join(directory, "evidence"))],
])("%s settles nothing", async ([, settle]) => {
  await tell("fork", "two histories");
  await tell("lost-ledger", "one row");
  await expect(settle()).rejects.toThrow(/alarm|--because|--state|fork/);
  await writeFile(join(directory, "settled"), "no folder").catch(() => {});
  expect(await new SettledAlarms(directory).refresh()).toEqual([]);
});
