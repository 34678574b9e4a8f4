import { Database, grantUse } from "@chancery/postgres";
import { expect, test } from "vitest";
import { cutUnsigned, logSchema, PostgresLogStore } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntry, World } from "./world.ts";

const server = testServer();

/** As this role, over the server's socket. */
async function openAs(role: string, database: string): Promise<Database> {
  const socket = new URL(server.url.replace("@/", "@localhost/")).searchParams.get("host") ?? "";
  return await Database.open(`postgres://${role}:${role}@/${database}?host=${encodeURIComponent(socket)}`);
}

/** A database as its administrator would give it to a service: owned by a role that is nothing else. */
async function plainDatabase(): Promise<Database> {
  await server.shared.db.query("CREATE ROLE plain LOGIN PASSWORD 'plain'");
  await server.shared.db.query("CREATE DATABASE plain OWNER plain TEMPLATE template0");
  const db = await openAs("plain", "plain");
  await withoutMaintain(db);
  return db;
}

/** As before PostgreSQL 17, where no owner has this right, and LOCK TABLE wants others that a log takes from him. */
async function withoutMaintain(owner: Database): Promise<void> {
  await owner.query("ALTER DEFAULT PRIVILEGES REVOKE MAINTAIN ON TABLES FROM CURRENT_USER");
}

test("a log takes entries as a role that was granted its use by an owner who lets nobody else execute functions", async () => {
  const admin = server.shared.db;
  for (const role of ["strict", "user"]) await admin.query(`CREATE ROLE "${role}" LOGIN PASSWORD '${role}'`);
  await admin.query("CREATE DATABASE strict OWNER strict TEMPLATE template0");
  await using owner = await openAs("strict", "strict");
  await owner.query("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC");
  const world = new World({ store: await PostgresLogStore.open(owner) });
  await world.start();
  await grantUse(owner, [logSchema], "user");
  await using db = await openAs("user", "strict");
  const log = await world.with({ store: await PostgresLogStore.open(db), created: true }).start();
  await world.append(log, newEntry("a", ["key"]));
  await world.check(log, 1);
});

test("a log lives in a database of a role that is no superuser, and is append-only for that role too", async () => {
  await using db = await plainDatabase();
  const world = new World({ store: await PostgresLogStore.open(db) });
  const log = await world.start();
  await world.append(log, newEntry("a", ["key"]));
  await world.append(log, newEntry("b"));
  for (const table of ["entry", "identity", "search_key", "search", "name", "tile", "log"]) {
    await expect(db.query(`DELETE FROM log.${table}`)).rejects.toThrow(/permission denied|append-only/);
  }
  await expect(db.query("UPDATE log.log SET name = 'other'")).rejects.toThrow("append-only");
  await world.check(log, 2);
});

test("damaged entries that nobody signed are cut off by an owner of the tables who is no superuser", async () => {
  const admin = server.shared.db;
  await admin.query("CREATE ROLE cutter LOGIN PASSWORD 'cutter'");
  await admin.query("CREATE DATABASE cutter OWNER cutter TEMPLATE template0");
  await using db = await openAs("cutter", "cutter");
  await withoutMaintain(db);
  const store = await PostgresLogStore.open(db, (step) => {
    if (step === "committed") throw new Error("the process dies");
  });
  const world = new World({ store });
  const log = await world.start();
  await expect(log.append(newEntry("unsigned"))).rejects.toThrow("the process dies");
  await db.query("INSERT INTO log.entry (log, index, time, leaf) SELECT id, 1, 1, 'stray' FROM log.log");
  const { name, anchor, signer } = world;
  const lines: unknown[] = [];
  const { rows } = await cutUnsigned({ name, db, anchor, signer, keep: async (line) => void lines.push(line) });
  expect(rows.get("log.entry")).toBe(2);

  await expect(db.query("DELETE FROM log.entry")).rejects.toThrow(/permission denied/);
  const next = world.with({ store: await PostgresLogStore.open(db) });
  const again = await next.start();
  expect(await next.append(again, newEntry("unsigned"))).toMatchObject({ duplicate: false, entry: { index: 0n } });
  await next.check(again, 1);
});
