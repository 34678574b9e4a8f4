import { Malformed, RefusedToSign } from "@chancery/fault";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { testServer } from "./postgres.ts";
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
