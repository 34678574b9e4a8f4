import { Database, grantUse, migrate, rightsBeyondUse } from "@chancery/postgres";
import { expect, test } from "vitest";
import { logSchema, PostgresLogStore } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, searchKey, timedEntry, World } from "./world.ts";

const server = testServer();

/** The table as it is becomes the first partition of one of its name. Its rows are not touched. */
const byRange = (table: string, end: number, column = "index") => `
ALTER TABLE log.${table} RENAME TO ${table}_0;
CREATE TABLE log.${table} (LIKE log.${table}_0 INCLUDING ALL) PARTITION BY RANGE (${column});
ALTER TABLE log.${table} ATTACH PARTITION log.${table}_0 FOR VALUES FROM (0) TO (${end});`;

/** Rows spread by a hash have to be written once more. */
const byHash = (table: string, column: string) => `
ALTER TABLE log.${table} RENAME TO ${table}_old;
CREATE TABLE log.${table} (LIKE log.${table}_old INCLUDING ALL) PARTITION BY HASH (${column});
${[0, 1, 2, 3].map((at) => `CREATE TABLE log.${table}_${at} PARTITION OF log.${table} FOR VALUES WITH (MODULUS 4, REMAINDER ${at});`).join("\n")}
INSERT INTO log.${table} SELECT * FROM log.${table}_old;
DROP TABLE log.${table}_old;`;

const nextPartition = (table: string, from: number, to: number) =>
  `CREATE TABLE log.${table}_${from} PARTITION OF log.${table} FOR VALUES FROM (${from}) TO (${to});`;

const GUARD = "SELECT log.guard_partitions();";

test("a log goes on in tables that were partitioned under it, and in partitions that are added as it grows", async () => {
  const { db: owner, url } = await server.database();
  await owner.query("CREATE ROLE partitioned LOGIN PASSWORD 'partitioned'");
  await grantUse(owner, [logSchema], "partitioned");
  await using db = await Database.open(url.replace(/\/\/[^@]*@/, "//partitioned:partitioned@"));
  const world = new World({ store: await PostgresLogStore.open(db) });
  const log = await world.start();
  await world.appendAll(log, newEntries(290));
  await world.append(log, timedEntry("before"));

  // One transaction, as a migration is: writers wait for it and find the new tables.
  await owner.query(`BEGIN;
    ${byRange("entry", 300)} ${byRange("tile", 2)}
    ${byHash("identity", "hash")} ${byHash("leaf_hash", "hash")} ${byRange("search", 1099511628076, "place")}
    ${nextPartition("search", 1099511628076, 1099512627776)} ${nextPartition("entry", 300, 600)} ${nextPartition("tile", 2, 1_000_000)}
    ${GUARD}
    COMMIT`);
  await grantUse(owner, [logSchema], "partitioned");
  await world.appendAll(log, newEntries(250, 290));
  await owner.query(`BEGIN; ${nextPartition("entry", 600, 1_000_000)} ${GUARD} COMMIT`);
  await world.appendAll(log, newEntries(300, 540));
  await world.append(log, newEntry("found", ["key"]));
  expect((await world.append(log, newEntry(5))).duplicate).toBe(true);
  expect((await world.append(log, timedEntry("before"))).duplicate).toBe(true);
  expect(await log.lookup.search([searchKey("key")], "or", 10)).toEqual([841n]);
  expect(await log.readiness()).toBeUndefined();
  await world.check(log, 842);

  const rows = await owner.query<{ table: string; rows: bigint }>(
    `SELECT tableoid::regclass::text AS table, count(*) AS rows FROM log.entry GROUP BY 1 ORDER BY 1`,
  );
  expect(rows).toEqual([
    { table: "log.entry_0", rows: 300n },
    { table: "log.entry_300", rows: 300n },
    { table: "log.entry_600", rows: 242n },
  ]);
  expect(await rightsBeyondUse(db, [logSchema])).toEqual([]);
  for (const table of ["entry", "entry_300", "identity", "tile_0"]) {
    await expect(db.query(`DELETE FROM log.${table}`)).rejects.toThrow(/permission denied/);
  }
  const parts = ["entry_0", "entry_300", "entry_600", "tile_0", "tile_2", "identity_0", "leaf_hash_1", "search_0"];
  await expectAppendOnly(owner, ["entry", "search_1099511628076", ...parts]);
});

test("a statement of the owner on a new partition by its own name changes nothing", async () => {
  const { db: owner } = await server.database();
  await new World({ store: await PostgresLogStore.open(owner) }).start();
  await owner.query(`BEGIN; ${byRange("entry", 50)} ${nextPartition("entry", 50, 100)} COMMIT`);
  await owner.query(GUARD);
  await expectAppendOnly(owner, ["entry", "entry_0", "entry_50"]);
  // Any number of times.
  await owner.query(GUARD);
});

test("a newer program upgrades a database whose tables were partitioned", async () => {
  const { db: owner } = await server.database("template1");
  await migrate(owner, logSchema.name, logSchema.migrations.slice(0, 6));
  await owner.query(`BEGIN; ${byRange("entry", 50)} ${nextPartition("entry", 50, 100)} ${GUARD} COMMIT`);
  const world = new World({ store: await PostgresLogStore.open(owner) });
  const log = await world.start();
  await world.appendAll(log, newEntries(60));
  await world.check(log, 60);
  const looked = await owner.query<{ table: string; settings: readonly string[] | null }>(
    `SELECT relname AS table, reloptions AS settings FROM pg_class
     WHERE oid = ANY (ARRAY['log.entry', 'log.entry_0', 'log.entry_50', 'log.search']::regclass[]) ORDER BY 1`,
  );
  const settings = ["autovacuum_analyze_scale_factor=1", "toast_tuple_target=4080"];
  expect(looked).toEqual([
    { table: "entry", settings: null },
    { table: "entry_0", settings },
    { table: "entry_50", settings },
    { table: "search", settings: settings.slice(0, 1) },
  ]);
});

async function expectAppendOnly(owner: Database, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    const column = table.startsWith("search") ? "place" : "log";
    for (const statement of [
      `UPDATE log.${table} SET ${column} = 0`,
      `DELETE FROM log.${table}`,
      `TRUNCATE log.${table}`,
    ]) {
      await expect(owner.query(statement), statement).rejects.toThrow("append-only");
    }
  }
}
