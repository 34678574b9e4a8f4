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
  const readers = Array.from({ length: READERS }, () => db.query(HELD).catch(() => "ended"));
  const held = () => server.shared.db.query("SELECT pid FROM pg_stat_activity WHERE query = $1", [HELD]);
  await expect.poll(held).toHaveLength(READERS);

  expect((await world.append(late, newEntry("new"))).entry.index).toBe(300n);
  expect(await world.append(late, newEntry(7))).toMatchObject({ duplicate: true, entry: { index: 7n } });
  expect(await late.readiness()).toBeUndefined();
  expect((await late.published()).head.size).toBe(301n);
  await late.freeze();

  expect(await held()).toHaveLength(READERS);
  await server.shared.db.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = $1", [HELD]);
  expect(await Promise.all(readers)).toEqual(readers.map(() => "ended"));
  await world.check(late, 301);
});
