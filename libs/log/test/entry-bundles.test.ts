import { utf8 } from "@chancery/encoding";
import { Database } from "@chancery/postgres";
import { parseEntryBundle } from "@chancery/tlog";
import { beforeAll, expect, test } from "vitest";
import { type CuttingProxy, cuttingProxy } from "../../postgres/test/cutting-proxy.ts";
import { PostgresLogStore, type TransparencyLog } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntry, range, World } from "./world.ts";

const server = testServer();

const ENTRIES = 24;
const BESIDE_BYTES = 256 * 1024;
/** Of a statement, beside the bytes of its rows. */
const PROTOCOL_BYTES = 64 * 1024;

let proxy: CuttingProxy;
let log: TransparencyLog;

beforeAll(async () => {
  const made = await server.database();
  const world = new World({ store: await made.store() });
  const filling = await world.start();
  for (const at of range(ENTRIES)) {
    await filling.append({ ...newEntry(at), extra: new Uint8Array(BESIDE_BYTES).fill(at) });
  }
  proxy = await cuttingProxy(made.url);
  const db = await Database.open(proxy.url, { max: 2 });
  log = await world.with({ store: await PostgresLogStore.open(db) }).start();
  await log.published();
  return async () => {
    await db.close();
    await proxy[Symbol.asyncDispose]();
  };
});

async function answeredFor<T>(read: () => Promise<T>): Promise<[T, number]> {
  const before = proxy.answered;
  return [await read(), proxy.answered - before];
}

test("an entry bundle, which anyone may ask for, costs its bytes and not the attestations beside its entries", async () => {
  const [bundle, bytes] = await answeredFor(() => log.entryBundle(0, ENTRIES));
  expect(parseEntryBundle(bundle!)).toEqual(range(ENTRIES).map((at) => utf8(`entry ${at}`)));
  expect(bytes).toBeLessThan(PROTOCOL_BYTES);
});

test("entries with attestations beside them come some megabytes at a time, and all come", async () => {
  const read: bigint[] = [];
  while (read.length < ENTRIES) {
    const [entries, bytes] = await answeredFor(() => log.entries(BigInt(read.length), 1024));
    // pg takes bytea as hexadecimal digits.
    expect(bytes).toBeLessThan(2 * 4 * 2 ** 20 + PROTOCOL_BYTES);
    expect(entries.length).toBeGreaterThan(0);
    for (const { index, extra } of entries) {
      expect(extra).toHaveLength(BESIDE_BYTES);
      expect(extra[0]).toBe(Number(index));
      read.push(index);
    }
  }
  expect(read).toEqual(range(ENTRIES).map(BigInt));
});
