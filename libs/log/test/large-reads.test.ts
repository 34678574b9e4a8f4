import type { Queryable } from "@chancery/postgres";
import { beforeAll, expect, test } from "vitest";
import { MOST_READ_BYTES } from "../src/store.ts";
import { PostgresReads } from "../src/postgres-reads.ts";
import { testServer } from "./postgres.ts";
import { newEntry, range, World } from "./world.ts";

const server = testServer();

const ENTRIES = 24;
/** So that 24 of them are more than is read at a time, and each is less than it. */
const BESIDE_BYTES = 256 * 1024;
/** The largest that 32 entries may have beside them and be read together. */
const SMALL_BYTES = 128 * 1024;

let log: number;

beforeAll(async () => {
  const world = new World({ store: await server.shared.store() });
  const filling = await world.start();
  for (const at of range(ENTRIES)) {
    await filling.append({ ...newEntry(at), extra: new Uint8Array(BESIDE_BYTES).fill(at) });
  }
  await filling.append({ ...newEntry("small"), extra: new Uint8Array(SMALL_BYTES).fill(7) });
  await filling.append(newEntry("bare"));
  const [row] = await server.shared.db.query<{ id: number }>("SELECT id FROM log.log WHERE name = $1", [world.name]);
  log = row!.id;
});

/** What the answers to statements that are under way at a time hold. */
function measured() {
  const most = { bytes: 0, statements: 0 };
  let bytes = 0;
  const db: Queryable = {
    query: async <Row>(sql: Parameters<Queryable["query"]>[0], params?: readonly unknown[]) => {
      most.statements++;
      const rows = await server.shared.db.query<Row>(sql, params);
      const own = rows.flatMap((row) => Object.values(row as object)).filter((value) => value instanceof Uint8Array);
      const length = own.reduce((sum, { byteLength }) => sum + byteLength, 0);
      bytes += length;
      most.bytes = Math.max(most.bytes, bytes);
      // Who asked has it in the next turn, and may let it go.
      setImmediate(() => (bytes -= length));
      return rows;
    },
  };
  return { most, db };
}

test("entries with much beside them that are asked for at once are not all in memory before one is answered", async () => {
  const { db, most } = measured();
  const reads = new PostgresReads(db, log);
  const entries = await Promise.all(range(ENTRIES).map((at) => reads.entry(BigInt(at))));
  for (const [at, entry] of entries.entries()) {
    expect(entry).toMatchObject({ index: BigInt(at) });
    expect(entry!.extra).toEqual(new Uint8Array(BESIDE_BYTES).fill(at));
  }
  expect(ENTRIES * BESIDE_BYTES).toBeGreaterThan(MOST_READ_BYTES);
  expect(most.bytes).toBeLessThan(MOST_READ_BYTES / 2);
});

test("those with little beside them are read together", async () => {
  const { db, most } = measured();
  const reads = new PostgresReads(db, log);
  const [small, bare, none] = await Promise.all([0n, 1n, 2n].map((at) => reads.entry(BigInt(ENTRIES) + at)));
  expect(small!.extra).toEqual(new Uint8Array(SMALL_BYTES).fill(7));
  expect(bare!.extra).toEqual(new Uint8Array());
  expect(none).toBeUndefined();
  expect(most.statements).toBe(1);
});
