import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Alarm, AlarmBook, type Finding } from "../src/domain/alarm.ts";
import { StateFolder } from "../src/state/state-folder.ts";

const START = Date.parse("2026-11-21T12:00:00Z");

let directory: string;
let now: number;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-alarms-"));
  now = START;
});
// That an alarm is over is written without anyone waiting for it.
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

async function alarmBook() {
  const state = await StateFolder.open(directory);
  const told: Alarm[] = [];
  return {
    book: new AlarmBook(state, await state.alarms(), [(alarm) => void told.push(alarm)], () => now),
    told,
    state,
  };
}

const tile = (subject: string): Finding => ({ trouble: "changed-tile", what: `${subject} is another`, subject });
const open = (book: AlarmBook) => book.open.map(({ subject, what }) => subject ?? what).toSorted();

test("a second damage that the same check sees is an alarm of its own, and each is over alone", async () => {
  const { book, told } = await alarmBook();
  await book.failed("edge", tile("leaf 1"));
  await book.failed("edge", tile("leaf 2"));
  expect(open(book)).toEqual(["leaf 1", "leaf 2"]);
  await book.failedAll("edge", [tile("leaf 2"), tile("leaf 3")], false);
  expect(open(book)).toEqual(["leaf 1", "leaf 2", "leaf 3"]);
  await book.failedAll("edge", [tile("leaf 2"), tile("leaf 3")], true);
  expect(open(book)).toEqual(["leaf 2", "leaf 3"]);
  expect(book.checks[0]).toMatchObject({ state: "failing", what: "leaf 2 is another; and 1 more" });
  book.passed("edge", "all is well");
  expect(book.open).toEqual([]);
  expect(told.filter(({ resolved }) => resolved === undefined)).toHaveLength(3);
});

test("what several checks see is one alarm until none of them sees it", async () => {
  const { book } = await alarmBook();
  for (const check of ["edge", "rows", "entries"]) await book.failed(check, tile("leaf 1"));
  expect(book.open).toHaveLength(1);
  book.passed("edge", "all is well");
  book.passed("rows", "all is well");
  expect(book.open).toHaveLength(1);
  book.passed("entries", "all is well");
  expect(book.open).toEqual([]);
});

test("an alarm that comes and goes all night is one, is told a few times, and pushes no other out of sight", async () => {
  const { book, told } = await alarmBook();
  await book.failed("checkpoint", { trouble: "fork", what: "two roots", subject: "heads" });
  book.passed("checkpoint", "all is well");
  for (let time = 0; time < 1_000; time++) {
    now += 2_000;
    await book.failed("edge", { ...tile("leaf 1"), what: `leaf 1 is another for the time ${time}` });
    await book.failed("clock", { trouble: "clock-step", what: "set", subject: `step ${time}` });
    now += 2_000;
    book.passed("edge", "all is well");
    book.passed("clock", "all is well");
  }
  expect(book.alarms.filter(({ trouble }) => trouble === "changed-tile")).toHaveLength(1);
  expect(book.alarms.filter(({ trouble }) => trouble === "clock-step").length).toBeLessThan(210);
  expect(book.alarms.filter(({ trouble }) => trouble === "fork")).toHaveLength(1);
  expect(told.filter(({ trouble }) => trouble === "changed-tile").length).toBeLessThan(20);
  const evidence = await readdir(join(directory, "evidence"));
  expect(evidence.filter((name) => name.includes("changed-tile")).length).toBeLessThanOrEqual(10);
  const flapping = book.open.find(({ trouble }) => trouble === "changed-tile");
  expect(flapping).toMatchObject({ quietSince: expect.any(String), times: expect.any(Number) });
  now += 601_000;
  book.passed("edge", "all is well");
  expect(book.alarms.find(({ trouble }) => trouble === "changed-tile")?.resolved).toBeDefined();
}, 60_000);

test("an alarm that waits to be over is over after a restart too", async () => {
  const before = await alarmBook();
  for (let time = 0; time < 7; time++) {
    await before.book.failed("edge", tile("leaf 1"));
    before.book.passed("edge", "all is well");
  }
  expect(before.book.open).toHaveLength(1);
  await before.state.written();
  const { book } = await alarmBook();
  expect(book.open).toHaveLength(1);
  now += 601_000;
  book.passed("edge", "all is well");
  expect(book.open).toEqual([]);
});

const away = (trouble: "unreachable" | "out-of-service", toleratedMs: number): Finding => ({
  trouble,
  what: `${trouble} by turns`,
  toleratedMs,
  subject: "server https://log.example",
});

test("what does not answer yet at the start is unknown and fails with its alarm; what passed before fails at once", async () => {
  const { book } = await alarmBook();
  const state = () => book.checks.find(({ name }) => name === "clock")?.state;
  book.expected("clock");
  await book.failed("clock", away("unreachable", 30_000));
  expect(state()).toBe("unknown");
  now += 31_000;
  await book.failed("clock", away("unreachable", 30_000));
  expect([state(), book.open.length]).toEqual(["failing", 1]);
  book.passed("clock", "every clock tells the same time");
  await book.failed("clock", away("unreachable", 30_000));
  expect([state(), book.open.length]).toEqual(["failing", 0]);
});

test("what does not answer fails where nobody looks again", async () => {
  const { book } = await alarmBook();
  book.looksOnce();
  await book.failed("clock", away("unreachable", 30_000));
  expect(book.checks).toMatchObject([{ name: "clock", state: "failing" }]);
});

test("a server that answers 503 and nothing by turns is an alarm, and does not put it off for ever", async () => {
  const { book, told } = await alarmBook();
  for (let look = 0; look < 60; look++) {
    now += 2_000;
    await book.failed("reach", look % 2 === 0 ? away("unreachable", 30_000) : away("out-of-service", 60_000));
  }
  expect(book.open.map(({ trouble }) => trouble)).toEqual(["out-of-service"]);
  expect(told.length).toBeLessThanOrEqual(3);
  book.passed("reach", "answers");
  expect(book.open).toEqual([]);
});
