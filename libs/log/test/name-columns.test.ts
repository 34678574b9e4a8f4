import { expect, test } from "vitest";
import { PostgresSearchIndex } from "../src/index.ts";
import { nameColumns } from "../src/postgres-search-rows.ts";
import { testServer } from "./postgres.ts";
import { newEntry, World } from "./world.ts";

const server = testServer();
const keyOf = (number: number) => new Uint8Array(16).fill(number);

test("two names of one batch that share their first 512 bytes are both kept, of which one was lost", async () => {
  const { db, store } = await server.database();
  const world = new World({ store: await store() });
  const log = await world.start();
  await world.appendAll(log, [newEntry(1)]);
  const index = await PostgresSearchIndex.open(db, world.name);
  const name = "n".repeat(512);
  const entry = { index: 0n, searchKeys: [], names: [1, 2].map((number) => ({ name, key: keyOf(number) })) };
  await index?.complete([entry]);
  const rows = await db.query("SELECT name FROM log.name WHERE name = $1", [name]);
  expect(rows).toHaveLength(2);
});

test("names are written in one order whichever they come in, crosswise two writers waited for each other", () => {
  const names = [3, 1, 2].map((number) => ({ name: `name ${number}`, key: keyOf(number) }));
  const entries = names.map((each) => ({ names: [each] }));
  const forwards = nameColumns(entries);
  expect(nameColumns(entries.toReversed())).toEqual(forwards);
  expect(nameColumns([{ names: names.toReversed() }])).toEqual(forwards);
});
