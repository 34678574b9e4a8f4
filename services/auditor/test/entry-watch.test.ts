import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Queryable } from "@chancery/postgres";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findUnfound, searchKeyOf, soughtOf } from "../src/database/search-keys.ts";
import { AlarmBook } from "../src/domain/alarm.ts";
import { LogFolder } from "../src/state/log-folder.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { Refused } from "../src/public/http-log.ts";
import { EntryWatch } from "../src/watch/entry-watch.ts";
import { LogWatch } from "../src/watch/log-watch.ts";
import { DrawnLog } from "./drawn-log.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-entries-"));
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

const rest = async () => {};

test("an invalid entry hides none of those behind it: each is an alarm of its own", async () => {
  const log = new DrawnLog(["no JSON"]);
  const state = await StateFolder.open(directory);
  const alarms = new AlarmBook(state, [], [], Date.now);
  await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
  const watch = new LogWatch(log.log, [log.served()], folder, { report: alarms, now: Date.now });
  const entries = new EntryWatch(watch, { report: alarms, stored: undefined, breathe: rest, pause: rest });
  const pass = async () => {
    await log.publish();
    await watch.pass();
    await entries.checkNew();
    return alarms.open.map(({ what }) => what.slice(0, "entry 0".length)).toSorted();
  };
  expect(await pass()).toEqual(["entry 0"]);
  log.leaves.push(Buffer.from("nor is this"));
  expect(await pass()).toEqual(["entry 0", "entry 1"]);
});

test("a changed entry hides none behind it, is remembered when the round has passed it, and is over when it is mended", async () => {
  const log = new DrawnLog(DrawnLog.named(600));
  const state = await StateFolder.open(directory);
  await using folder = await LogFolder.open(join(directory, "logs", "drawn"));
  const served = log.served();
  const honest = log.leaves;
  let changed = [3, 300];
  served.leaves.read = async (first, end) =>
    honest
      .slice(Number(first), Number(end))
      .map((leaf, at) => (changed.includes(Number(first) + at) ? Buffer.of(7) : leaf));
  const begin = async (leaves = served) => {
    const alarms = new AlarmBook(state, [], [], Date.now);
    const watch = new LogWatch(log.log, [leaves], folder, { report: alarms, now: Date.now });
    const entries = new EntryWatch(watch, { report: alarms, stored: undefined, breathe: rest, pause: rest });
    const look = async () => {
      await entries.checkNew();
      const found = alarms.open.map(({ subject = "none" }) => subject).filter((subject) => subject.includes("leaf"));
      return { found: found.toSorted(), check: alarms.checks[0]?.what };
    };
    return { watch, look };
  };
  const before = await begin(log.served());
  await log.publish();
  await before.watch.pass();
  const first = await begin();
  expect((await first.look()).found).toEqual(["rekor leaf 3", "rekor leaf 300"]);
  expect((await first.look()).found).toEqual(["rekor leaf 3", "rekor leaf 300"]);
  // All are no entries of any kind, so that others are told beside the two.
  expect((await first.look()).check).toMatch(/; and 599 more$/);
  const restarted = await begin();
  expect((await restarted.look()).found).toEqual(["rekor leaf 3", "rekor leaf 300"]);
  changed = [300];
  expect((await restarted.look()).found).toEqual(["rekor leaf 300"]);
  changed = [];
  expect((await restarted.look()).found).toEqual([]);
});

/** A log in whose pages tests may refuse, and what its entries' check reads of it. */
async function refusing(count: number) {
  const log = new DrawnLog(DrawnLog.named(count * 256));
  await log.publish();
  const state = await StateFolder.open(directory);
  const folder = await LogFolder.open(join(directory, "logs", "drawn"));
  const alarms = new AlarmBook(state, [], [], Date.now);
  const served = log.served();
  const honest = log.served().leaves;
  const refused = new Set<bigint>();
  const read: bigint[] = [];
  served.leaves.read = async (first, end) => {
    read.push(first / 256n);
    if (refused.has(first / 256n)) throw new Refused("https://drawn.example/tile/entries", 503, "damaged");
    return honest.read(first, end);
  };
  const watch = new LogWatch(log.log, [served], folder, { report: alarms, now: Date.now });
  await watch.pass();
  const begin = (breathe = rest) => new EntryWatch(watch, { report: alarms, stored: undefined, breathe, pause: rest });
  const grow = async () => {
    log.leaves.push(...DrawnLog.named(256, " of a new page").map((leaf) => Buffer.from(leaf)));
    await log.publish();
    await watch.pass();
  };
  return { alarms, begin, folder, grow, read, refused, pages: BigInt(count) };
}

test("eleven pages that are refused keep no new entry from being judged", async () => {
  const { alarms, begin, folder, grow, refused, pages } = await refusing(12);
  await using _ = folder;
  const entries = begin();
  for (let page = 0n; page < 11n; page++) refused.add(page);
  for (let look = 0; look < 3; look++) await entries.checkNew();
  expect(folder.cursor("entries")).toBe(String(pages * 256n));
  await grow();
  await entries.checkNew();
  expect(folder.cursor("entries")).toBe(String((pages + 1n) * 256n));
  expect(alarms.checks.find(({ name }) => name === "entries of rekor")?.state).toBe("failing");
  // What was refused is judged when it is served, whoever asks for it then.
  refused.clear();
  const later = begin();
  for (let look = 0; look < 3; look++) await later.checkNew();
  expect(folder.cursor("invalid")?.split(",")).toHaveLength(Number(pages + 1n) * 256);
});

test("what is new is read before what was bad, of which a look reads no more than a few pages", async () => {
  const { begin, folder, grow, read, pages } = await refusing(20);
  await using _ = folder;
  const entries = begin();
  // None of these is an entry of any kind.
  await entries.checkNew();
  await grow();
  read.length = 0;
  await entries.checkNew();
  expect(read[0]).toBe(pages);
  expect(read.length).toBeLessThanOrEqual(9);
  read.length = 0;
  for (let look = 0; look < 3; look++) await entries.checkNew();
  expect(new Set(read).size).toBe(Number(pages) + 1);
});

test("a page that was refused once is judged though the log never stops growing", async () => {
  const { begin, folder, grow, read, refused } = await refusing(3);
  await using _ = folder;
  refused.add(1n);
  await begin().checkNew();
  refused.clear();
  const entries = begin(grow);
  await grow();
  read.length = 0;
  for (let look = 0; look < 4; look++) await entries.checkNew();
  expect(read).toContain(1n);
});

/** As the index answers: the ordinals of the keys that it does not hold. */
const indexOf = (texts: readonly string[]): Queryable => ({
  query: async (_sql, params = []) => {
    const held = new Set(texts.map((text) => searchKeyOf(text).toHex()));
    // A binary array: a header of 20 octets, then 16 octets of each key behind their length.
    const array = Buffer.from(params[1] as Uint8Array).subarray(20);
    const asked = Array.from({ length: array.length / 20 }, (_, at) =>
      array.toString("hex", at * 20 + 4, at * 20 + 20),
    );
    return asked.flatMap((key, at) => (held.has(key) ? [] : [{ ordinal: BigInt(at + 1) }])) as never;
  },
});

test("a digest that the index keeps in its other spelling is found, and one that it lacks is told with all others", async () => {
  const digest = "0a".repeat(32);
  const texts = [`sha256:${digest}`, digest, "al@example.com", "bo@example.com"];
  const unfound = async (held: readonly string[]) => {
    const missing = await findUnfound(indexOf(held), 1, soughtOf(7n, texts));
    return missing.map(({ index, text }) => ({ index, text }));
  };
  const names = texts.slice(2).map((text) => ({ index: 7n, text }));
  expect(await unfound([digest])).toEqual(names);
  expect(await unfound([`sha256:${digest}`])).toEqual(names);
  expect(await unfound(texts.slice(2))).toEqual(texts.slice(0, 2).map((text) => ({ index: 7n, text })));
});
