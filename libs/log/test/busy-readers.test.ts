import { Database } from "@chancery/postgres";
import { expect, test } from "vitest";
import { PostgresLogStore } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, World } from "./world.ts";

const server = testServer();

const HELD = "SELECT pg_sleep(600)";
const READERS = 3;

/** Readers of whole bundles held every connection: an append took 2.8 s, and a duplicate one turn of theirs for each read. */
test("readers who hold every connection keep nobody from logging, nor from the proof of what is logged already", async () => {
  const { url } = await server.database();
  await using db = await Database.open(url, { max: READERS });
  const world = new World({ store: await PostgresLogStore.open(db) });
  const log = await world.start();
  await world.appendAll(log, newEntries(300));

  // A process that has read nothing of it yet.
  const late = await world.with({}).start();
  const readers = await heldConnections(db);

  expect((await world.append(late, newEntry("new"))).entry.index).toBe(300n);
  expect(await world.append(late, newEntry(7))).toMatchObject({ duplicate: true, entry: { index: 7n } });
  expect(await late.readiness()).toBeUndefined();
  expect((await late.published()).head.size).toBe(301n);
  await late.freeze();

  await readers.letGo();
  await world.check(late, 301);
});

/** What is committed and unsigned was looked up in the readers' queue, entry by entry: a log stayed as it was while it was read. */
test("readers who hold every connection keep no process from signing what another committed before it died", async () => {
  const { url } = await server.database();
  await using db = await Database.open(url, { max: READERS });
  const store = await PostgresLogStore.open(db, (step) => {
    if (step === "committed") throw new Error("the process dies");
  });
  const world = new World({ store });
  const dying = await world.start();
  await expect(dying.append(newEntry("unsigned"))).rejects.toThrow("the process dies");

  const heirs = world.with({ store: await PostgresLogStore.open(db) });
  const readers = await heldConnections(db);
  const heir = await heirs.start();
  expect((await heir.published()).head.size).toBe(1n);
  expect(await heirs.append(heir, newEntry("unsigned"))).toMatchObject({ duplicate: true, entry: { index: 0n } });
  await readers.letGo();
  await heirs.check(heir, 1);
});

test("readers beyond those that may wait are told at once to come again", async () => {
  const { url } = await server.database();
  await using db = await Database.open(url, { max: READERS, waiting: 5 });
  const world = new World({ store: await PostgresLogStore.open(db) });
  const log = await world.start();
  await world.appendAll(log, newEntries(20));

  const readers = await heldConnections(db);
  const bundles = Array.from({ length: 50 }, () => log.entries(0n, 20).catch((error: unknown) => error));
  const refused = await Promise.all(bundles.slice(5));
  expect(refused).toEqual(refused.map(() => expect.objectContaining({ code: "unavailable", retryAfter: 1 })));
  expect(String(refused[0])).toContain("5 readers wait for the database already");
  await readers.letGo();
  for (const entries of await Promise.all(bundles.slice(0, 5))) expect(entries).toHaveLength(20);
  await world.check(log, 20);
});

const held = () => server.shared.db.query("SELECT pid FROM pg_stat_activity WHERE query = $1", [HELD]);

/** Readers that keep each of their connections until they are let go. */
async function heldConnections(db: Database) {
  const readers = Array.from({ length: READERS }, () => db.query(HELD).catch(() => "ended"));
  await expect.poll(held, { timeout: 10_000 }).toHaveLength(READERS);
  const letGo = async () => {
    expect(await held()).toHaveLength(READERS);
    await server.shared.db.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = $1", [HELD]);
    expect(await Promise.all(readers)).toEqual(readers.map(() => "ended"));
  };
  return { letGo };
}
