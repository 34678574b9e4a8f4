import { Database } from "@chancery/postgres";
import { expect, test } from "vitest";
import { PostgresLogStore } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntry, World } from "./world.ts";

const server = testServer();

/** A database as its administrator would give it to a service: owned by a role that is nothing else. */
async function plainDatabase(): Promise<Database> {
  await server.shared.db.query("CREATE ROLE plain LOGIN PASSWORD 'plain'");
  await server.shared.db.query("CREATE DATABASE plain OWNER plain TEMPLATE template0");
  const url = new URL(server.url.replace("@/", "@localhost/"));
  const socket = url.searchParams.get("host") ?? "";
  return await Database.open(`postgres://plain:plain@/plain?host=${encodeURIComponent(socket)}`);
}

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
