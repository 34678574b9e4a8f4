import { Malformed, RefusedToSign } from "@chancery/fault";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { acceptAnchor, type Failpoint, MemoryAnchor } from "../src/index.ts";
import { type TestDatabase, testServer } from "./postgres.ts";
import { newEntries, newEntry, World } from "./world.ts";

const server = testServer();

/** A log of five entries, and the database to change rows in that no hash covers. */
async function fiveEntries() {
  const { db, store } = await server.database();
  const world = new World({ store: await store() });
  const log = await world.start();
  await world.appendAll(log, newEntries(5));
  return { world, log, db };
}

/** Ten entries are signed and five committed; then their process dies. */
async function diedUnsigned() {
  const made = await server.database();
  let dies = false;
  const failpoint: Failpoint = (step) => {
    if (dies && step === "committed") throw new Error("the process dies");
  };
  const world = new World({ store: await made.store(failpoint) });
  const log = await world.start();
  await world.appendAll(log, newEntries(10));
  dies = true;
  const lost = await Promise.allSettled(newEntries(5, 10).map((entry) => log.append(entry)));
  expect(lost.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "rejected"));
  return { world, made };
}

async function changeRows({ db }: TestDatabase, change: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query(change);
  });
}

/** Then rows are changed, and another process starts. */
async function diedWithFiveUnsigned(change: string) {
  const { world, made } = await diedUnsigned();
  await changeRows(made, change);
  return { world, next: await world.with({ store: await made.store() }).start() };
}

describe("a row that leads from an identity to another entry", () => {
  test("does not acknowledge an entry that was never logged", async () => {
    const { world, log, db } = await fiveEntries();
    const wanted = newEntry("never logged");
    await db.query("INSERT INTO log.identity (log, index, hash) SELECT id, 3, $1 FROM log.log", [wanted.identity]);
    await expect(log.append(wanted)).rejects.toThrow(/leads from an entry's identity to entry 3, which is another/);
    expect(await log.readiness()).toMatch(/leads from an entry's identity to entry 3/);
    await expect(log.append(newEntry("any other"))).rejects.toBeInstanceOf(RefusedToSign);
    expect((await log.published()).head.size).toBe(5n);
    expect(world.signer.signed).toHaveLength(2);
  });
});

describe("a published checkpoint that was changed in the database", () => {
  const changes = [
    ["its note", "SET note = 'rubbish'"],
    ["its root", "SET root = sha256('x')"],
    ["its size", "SET size = 1000000"],
  ] as const;

  test.each(changes)("is refused by a process that starts: %s", async (_what, change) => {
    const { world, log, db } = await fiveEntries();
    await log.close();
    await db.query(`UPDATE log.published ${change}`);
    const signed = world.signer.signed.length;
    const second = await world.start();
    await expect(second.append(newEntry(2))).rejects.toBeInstanceOf(RefusedToSign);
    await expect(second.append(newEntry("new"))).rejects.toBeInstanceOf(RefusedToSign);
    await expect(second.published()).rejects.toBeInstanceOf(RefusedToSign);
    expect(await second.readiness()).toMatch(/published/);
    expect(await second.entries(0n, 10)).toHaveLength(5);
    expect(world.signer.signed).toHaveLength(signed);
  });

  test.each(changes)("is refused by a process that runs: %s", async (_what, change) => {
    const { world, log, db } = await fiveEntries();
    await db.query(`UPDATE log.published ${change}`);
    // Longer than a checkpoint in memory counts as fresh.
    await delay(150);
    await log.readiness();
    await log.published().catch(() => {});
    await expect(log.published()).rejects.toBeInstanceOf(RefusedToSign);
    expect(await log.readiness()).toMatch(/published/);
    expect(await log.entries(0n, 10)).toHaveLength(5);
    expect(world.signer.signed).toHaveLength(2);
  });

  test("is no reason to show another note, but to take no entries: its time, which Rekor's note does not have", async () => {
    const { world, log, db } = await fiveEntries();
    const { note } = await log.published();
    await db.query("UPDATE log.published SET time = time + 1000000000000");
    expect(await log.readiness()).toMatch(/its anchor is older than what was published/);
    await expect(log.append(newEntry(2))).rejects.toBeInstanceOf(RefusedToSign);
    expect((await log.published()).note).toEqual(note);
    expect(world.signer.signed).toHaveLength(2);
  });

  test("is made anew once its row is deleted", async () => {
    const { world, log, db } = await fiveEntries();
    await log.close();
    await db.query("UPDATE log.published SET note = 'rubbish'");
    const refused = await world.start();
    expect(await refused.readiness()).toMatch(/delete the log's row of log\.published/);
    await refused.close();
    await db.query("ALTER TABLE log.published DISABLE TRIGGER USER");
    await db.query("DELETE FROM log.published");
    await db.query("ALTER TABLE log.published ENABLE TRIGGER USER");
    const mended = await world.start();
    await world.append(mended, newEntry("next"));
    await world.check(mended, 6);
  });
});

test("a name that PostgreSQL would not take fails alone, not with those it came with", async () => {
  const world = new World({ store: await server.shared.store() });
  const log = await world.start();
  const key = new Uint8Array(16);
  for (const name of ["a\0b", "a\uD800b"]) {
    const others = world.appendAll(log, newEntries(10));
    await expect(log.append({ ...newEntry(name.length), names: [{ name, key }] })).rejects.toBeInstanceOf(Malformed);
    await others;
  }
  await world.check(log, 10);
});

describe("what a process committed before it died, and was changed before another signs it", () => {
  test.each([
    [
      "a leaf",
      "UPDATE log.entry SET leaf = set_byte(leaf, 0, 0) WHERE index = 12",
      /entries 10 to 14, committed and not signed, are not as they were committed .*do not hash to its root/,
    ],
    ["an entry that is gone", "DELETE FROM log.entry WHERE index = 12", /is missing/],
    [
      "an identity",
      "UPDATE log.identity SET index = 3 WHERE index = 12",
      /not as they were committed .*entry 12 is not found by its identity/,
    ],
    ["a time", "UPDATE log.entry SET time = 5 WHERE index = 12", /not as they were committed .*entry 12 has a time/],
    [
      "a hash beside the way of the proof",
      "UPDATE log.tile SET hashes = set_byte(hashes, 33, get_byte(hashes, 33) # 1) WHERE level = 0 AND start = 10",
      /not as they were committed .*tile 0\/0 has other hashes/,
    ],
    [
      "a hash below what was signed",
      "UPDATE log.tile SET hashes = set_byte(hashes, 33, get_byte(hashes, 33) # 1) WHERE level = 0 AND start < 8",
      /the tree of 15 entries is not what the signed tree of 10 became/,
    ],
  ] as const)("is not signed: %s", async (_what, change, reason) => {
    const { world, next } = await diedWithFiveUnsigned(change);
    expect(await next.readiness()).toMatch(reason);
    expect((await next.published()).head.size).toBe(10n);
    expect(await next.entries(0n, 10)).toHaveLength(10);
    await expect(next.append(newEntry("refused"))).rejects.toBeInstanceOf(RefusedToSign);
    expect(world.signer.signed.map(({ size }) => size)).toEqual([0n, 10n]);
  });

  test("is signed where nothing was changed", async () => {
    const { world, next } = await diedWithFiveUnsigned("SELECT 1");
    expect((await next.published()).head.size).toBe(15n);
    await world.check(next, 15);
  });
});

/** The anchor that is accepted lets the log sign the whole of its tree, and nothing reads it after that. */
describe("an anchor is not accepted for a database", () => {
  test.each([
    [
      "in which what was never signed was changed",
      "UPDATE log.entry SET leaf = set_byte(leaf, 0, 0) WHERE index = 12",
      /do not hash to its root/,
    ],
    ["in which what was never signed is gone", "DELETE FROM log.entry WHERE index = 12", /is missing/],
    ["whose published checkpoint was changed", "UPDATE log.published SET note = 'rubbish'", /^checkpoint: /],
    ["that has a time yet to come", "UPDATE log.published SET time = time + 1000000000", /a time that is yet to come/],
  ] as const)("%s", async (_what, change, reason) => {
    const { world, made } = await diedUnsigned();
    await changeRows(made, change);
    const lost = world.with({ anchor: new MemoryAnchor(), store: await made.store() });
    await expect(acceptAnchor(lost)).rejects.toThrow(reason);
    expect(await lost.anchor.read()).toBeUndefined();
  });

  test("and is for the same one as it was committed", async () => {
    const { world, made } = await diedUnsigned();
    const lost = world.with({ anchor: new MemoryAnchor(), store: await made.store() });
    expect(await acceptAnchor(lost)).toMatchObject({ before: undefined, after: { size: 15n } });
    const log = await lost.start();
    expect(await log.readiness()).toBeUndefined();
    await world.check(log, 15);
  });
});

describe("a row where the next entry belongs", () => {
  test.each([
    ["an entry", "INSERT INTO log.entry (log, index, time, leaf) SELECT id, 5, 1, 'stray' FROM log.log"],
    ["a tile", "INSERT INTO log.tile (log, level, index, start, hashes) SELECT id, 0, 0, 5, sha256('x') FROM log.log"],
  ] as const)("is told by readiness, and by each append as what it is: %s", async (_what, stray) => {
    const { world, log, db } = await fiveEntries();
    await db.query(stray);
    await expect(log.append(newEntry("next"))).rejects.toBeInstanceOf(RefusedToSign);
    expect(await log.readiness()).toMatch(/its database has rows where its next entries belong/);
    expect((await log.published()).head.size).toBe(5n);
    expect(world.signer.signed).toHaveLength(2);
  });

  test("does not fail those before it", async () => {
    const { log, db } = await fiveEntries();
    await db.query("INSERT INTO log.entry (log, index, time, leaf) SELECT id, 7, 1, 'stray' FROM log.log");
    expect((await log.append(newEntry(5))).entry.index).toBe(5n);
    expect((await log.append(newEntry(6))).entry.index).toBe(6n);
    await expect(log.append(newEntry(7))).rejects.toThrow(/its database has rows where its next entries belong/);
  });
});
