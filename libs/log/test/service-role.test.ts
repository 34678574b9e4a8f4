import { Database, grantUse, migrate, rightsBeyondUse } from "@chancery/postgres";
import { beforeAll, describe, expect, test } from "vitest";
import { logSchema, PostgresLogStore, type TransparencyLog } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, timedEntry, World } from "./world.ts";

const server = testServer();
const SCHEMAS = [logSchema];

let world: World;
let log: TransparencyLog;
let service: Database;
let administrator: Database;

function urlAs(user: string): string {
  return server.shared.url.replace(/\/\/[^@]*@/, `//${user}:${user}@`);
}

beforeAll(async () => {
  administrator = server.shared.db;
  await administrator.query("CREATE ROLE service LOGIN PASSWORD 'service'");
  await grantUse(administrator, SCHEMAS, "service");
  // As at each start.
  await grantUse(administrator, SCHEMAS, "service");
  service = await Database.open(urlAs("service"));
  world = new World({ store: await PostgresLogStore.open(service) });
  log = await world.start();
  await world.appendAll(log, newEntries(300));
  await world.append(log, newEntry("found", ["key"]));
  await world.append(log, timedEntry("certificate"));
});

test("a role that owns nothing runs a log from its creation to its freezing", async () => {
  const own = new World({ store: await PostgresLogStore.open(service) });
  const running = await own.start();
  await own.appendAll(running, newEntries(3));
  await own.append(running, newEntry(1));
  expect(await running.renew(-Infinity)).toBe(true);
  const other = await own.start();
  await own.append(other, timedEntry("of another process"));
  await other.freeze();
  await own.check(other, 4);
  await running.close();
});

describe("to that role is refused", () => {
  const tables = ["entry", "identity", "leaf_hash", "search_key", "search", "name", "tile", "log"];
  const refused = [
    ...tables.flatMap((table) => [
      `UPDATE log.${table} SET ${table === "log" ? "name = 'x'" : table === "search" ? "place = 99" : "log = 99"}`,
      `DELETE FROM log.${table}`,
      `TRUNCATE log.${table} CASCADE`,
      `DROP TRIGGER append_only ON log.${table}`,
      `ALTER TABLE log.${table} DISABLE TRIGGER append_only`,
      `ALTER TABLE log.${table} DISABLE TRIGGER ALL`,
      `CREATE TRIGGER mine BEFORE INSERT ON log.${table} EXECUTE FUNCTION log.refuse_change()`,
      `DROP TABLE log.${table} CASCADE`,
      `ALTER TABLE log.${table} OWNER TO service`,
      `GRANT ALL ON log.${table} TO service`,
    ]),
    ...["tree", "published"].flatMap((table) => [
      `UPDATE log.${table} SET size = size - 1`,
      `UPDATE log.${table} SET time = time - 1`,
      `DELETE FROM log.${table}`,
      `TRUNCATE log.${table}`,
      `DROP TRIGGER grow_only ON log.${table}`,
      `ALTER TABLE log.${table} DISABLE TRIGGER ALL`,
    ]),
    "INSERT INTO log.search_gap (log, size) VALUES (1, 1000000000)",
    "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "DROP SCHEMA log CASCADE",
    "CREATE TABLE log.mine ()",
    "UPDATE chancery_schema SET number = 0",
    "SET ROLE chancery",
    "ALTER ROLE service SUPERUSER",
    "ALTER SYSTEM SET fsync = off",
  ];

  test.each(refused)("%s", async (statement) => {
    const refusal = /must be (the )?owner of|permission denied|append-only|only grows|no privileges were granted/;
    const answer = await service.query(statement).catch((error: unknown) => error);
    // GRANT of what one has not is a warning and does nothing.
    if (statement.startsWith("GRANT")) expect(await rightsBeyondUse(service, SCHEMAS)).toEqual([]);
    else {
      expect(answer).toBeInstanceOf(Error);
      expect((answer as Error).message).toMatch(refusal);
    }
  });

  test("and after all of it the log is whole", async () => {
    await world.check(log, 302);
  });
});

/** What a role could do beyond its use that was given this as well. */
async function beyond(role: string, grants: readonly string[]): Promise<string[]> {
  await administrator.query(`CREATE ROLE ${role} LOGIN PASSWORD '${role}'`);
  await grantUse(administrator, SCHEMAS, role);
  for (const grant of grants) await administrator.query(grant);
  await using db = await Database.open(urlAs(role), { max: 1 });
  return await rightsBeyondUse(db, SCHEMAS);
}

describe("rights beyond use are told of", () => {
  test("none of a role that was given use", async () => {
    expect(await beyond("used", [])).toEqual([]);
  });

  test("a superuser", async () => {
    expect(await rightsBeyondUse(administrator, SCHEMAS)).toEqual(["is a superuser, or may become one"]);
    expect(await beyond("climbing", ["GRANT chancery TO climbing WITH INHERIT FALSE"])).toEqual([
      "is a superuser, or may become one",
    ]);
  });

  test("a right to one column, and a function that a trigger calls", async () => {
    expect(await beyond("columns", ["GRANT UPDATE (leaf) ON log.entry TO columns"])).toEqual([
      "has UPDATE on log.entry",
    ]);
    expect(await beyond("calling", ["ALTER FUNCTION log.refuse_change OWNER TO calling"])).toEqual([
      "owns tables of log, and so can drop their triggers",
    ]);
    await administrator.query("ALTER FUNCTION log.refuse_change OWNER TO chancery");
  });

  test("a right more than need be", async () => {
    const rights = ["GRANT UPDATE, DELETE ON log.entry TO more", "GRANT TRUNCATE, TRIGGER ON log.tree TO more"];
    expect(await beyond("more", rights)).toEqual([
      "has DELETE, UPDATE on log.entry",
      "has TRIGGER, TRUNCATE on log.tree",
    ]);
  });

  test("a right to say that entries are of before there was a search, since nothing is judged by those", async () => {
    expect(await beyond("gaps", ["GRANT INSERT ON ALL TABLES IN SCHEMA log TO gaps"])).toEqual([
      "has INSERT on log.search_gap",
    ]);
  });

  test("an owner, and who may become one", async () => {
    const told = ["owns tables of log, and so can drop their triggers"];
    expect(await beyond("owning", ["ALTER TABLE log.tile OWNER TO owning"])).toEqual(told);
    expect(await beyond("becoming", ["GRANT owning TO becoming"])).toEqual(told);
    await administrator.query("ALTER TABLE log.tile OWNER TO chancery");
  });
});

test("who could add to every table before the eighth step adds no gap to the search after it", async () => {
  const { db, url } = await server.database("template0");
  await migrate(db, logSchema.name, logSchema.migrations.slice(0, 7));
  await db.query("GRANT USAGE ON SCHEMA log TO service");
  await db.query("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA log TO service");
  await migrate(db, logSchema.name, logSchema.migrations);
  await using own = await Database.open(url.replace(/\/\/[^@]*@/, "//service:service@"), { max: 1 });
  const insert = "INSERT INTO log.search_gap (log, size) VALUES (1, 1000000000)";
  await expect(own.query(insert)).rejects.toThrow(/permission denied for table search_gap/);
  await expect(db.query(insert)).rejects.toThrow(/append-only: INSERT of log.search_gap is refused/);
});

test("without the owner's help it neither makes tables nor brings them up to date, and says who can", async () => {
  const { url } = await server.database("template0");
  await using db = await Database.open(url.replace(/\/\/[^@]*@/, "//service:service@"), { max: 1 });
  await expect(PostgresLogStore.open(db)).rejects.toThrow(
    /CHANCERY_DATABASE_URL: its schema log is at step 0 of \d+ and this role may not change it; run `chancery migrate` as its owner/,
  );
});
