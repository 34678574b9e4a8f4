import { sha256 } from "@chancery/crypto";
import { describe, expect, test } from "vitest";
import { MemoryLogStore } from "../src/index.ts";
import { countStatement, searchStatement } from "../src/postgres-search.ts";
import { SHARED_SEARCH } from "../src/postgres-shared-search.ts";
import { SEARCH_COLUMNS } from "../src/search-key.ts";
import * as statements from "../src/postgres-statements.ts";
import { storeContract } from "./contract.ts";
import { testServer } from "./postgres.ts";
import { newEntry, range, World } from "./world.ts";

const server = testServer();
const uuidOf = (number: string) => `encode(substr(sha256(int8send(${number})), 17), 'hex')::uuid`;
const int8 = (number: number) => new Uint8Array(new BigInt64Array([BigInt(number)]).buffer).toReversed();
const keyOf = (number: number) => sha256(int8(number)).subarray(16);

storeContract("memory", async () => new MemoryLogStore());
storeContract("PostgreSQL", async () => await server.shared.store());

describe("in PostgreSQL", () => {
  test("even the owner of the tables is refused to change or take away what is there", async () => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    const log = await world.start();
    await world.appendAll(log, [newEntry(1, ["key"]), newEntry(2)]);
    for (const sql of [
      "UPDATE log.entry SET time = 0",
      "DELETE FROM log.entry",
      "TRUNCATE log.entry",
      "UPDATE log.tile SET start = 1",
      "DELETE FROM log.identity",
      "DELETE FROM log.search",
      "UPDATE log.search SET key0 = NULL",
      "DELETE FROM log.search_gap",
      "UPDATE log.log SET key_id = '\\x00'",
      "DELETE FROM log.tree",
      "UPDATE log.tree SET size = 1",
      "UPDATE log.published SET size = 0",
      "TRUNCATE log.published",
      "UPDATE log.tree SET frozen = true; UPDATE log.tree SET frozen = false",
    ]) {
      await expect(db.query(sql), sql).rejects.toThrow(/append-only|only grows/);
    }
    await world.check(log, 2);
  });

  test("500 entries at once are one commit and one signature", async () => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    const log = await world.start();
    const written = async () => {
      const [row] = await db.query<{ count: bigint }>("SELECT count(DISTINCT xmin::text) AS count FROM log.entry");
      return row!.count;
    };
    await world.appendAll(
      log,
      range(500).map((at) => newEntry(at, ["key"])),
    );
    expect(await written()).toBe(1n);
    expect(world.signer.signed.map(({ size }) => size)).toEqual([0n, 500n]);
  });

  test("a batch takes along what comes while another process has the log locked", async () => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    const log = await world.start();
    const appended: Promise<unknown>[] = [];
    await db.transaction(async (tx) => {
      await tx.query("SELECT FROM log.tree FOR UPDATE");
      appended.push(world.append(log, newEntry("first")));
      await expect.poll(() => db.query("SELECT FROM pg_locks WHERE NOT granted")).toHaveLength(1);
      appended.push(...range(20).map((at) => world.append(log, newEntry(at, ["key"]))));
      appended.push(world.append(log, newEntry("first")));
    });
    await Promise.all(appended);
    expect(world.signer.signed.map(({ size }) => size)).toEqual([0n, 21n]);
    await world.check(log, 21);
  });

  test("what one process acknowledged is found by another, though a crash took its publication back", async () => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    const [one, other] = [await world.start(), await world.start()];
    await world.append(one, newEntry(1));
    await other.published();
    await db.query("CREATE TABLE before_crash AS SELECT * FROM log.published");
    const { checkpoint } = await world.append(one, newEntry(2));
    await db.query("ALTER TABLE log.published DISABLE TRIGGER grow_only");
    await db.query(`UPDATE log.published AS p SET size = b.size, time = b.time, root = b.root, note = b.note
      FROM before_crash AS b`);
    await db.query("ALTER TABLE log.published ENABLE TRIGGER grow_only");
    expect(await other.entry(1n)).toMatchObject({ index: 1n });
    expect((await other.published()).head).toEqual(checkpoint.head);
    expect((await other.inclusionProof(1n, 2n)).path).toHaveLength(1);
    expect(await other.entry(2n)).toBeUndefined();
  });

  test.each([
    ["entries", "INSERT", "entry", "NEW.leaf := NEW.leaf || '!'::bytea"],
    ["tiles", "INSERT", "tile", "NEW.hashes := sha256(NEW.hashes)"],
    ["tree", "UPDATE", "tree", "NEW.root := sha256(NEW.root)"],
  ])(
    "%s that the database stores otherwise are refused, and nothing is committed",
    async (what, when, table, change) => {
      const { db, store } = await server.database();
      const world = new World({ store: await store() });
      const log = await world.start();
      await db.query(
        `CREATE FUNCTION flip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${change}; RETURN NEW; END $$`,
      );
      await db.query(`CREATE TRIGGER flip BEFORE ${when} ON log.${table} FOR EACH ROW EXECUTE FUNCTION flip()`);
      await expect(log.append(newEntry(1))).rejects.toThrow(`the database stored other ${what} than it was given`);
      expect(await log.readiness()).toContain(`stored other ${what}`);
      expect(await db.query("SELECT FROM log.entry")).toEqual([]);
      expect(world.signer.signed.map(({ size }) => size)).toEqual([0n]);
    },
  );

  test("what many look up at once each is told as if it had asked alone", async () => {
    const { db, store } = await server.database();
    const stores = await store();
    const world = new World({ store: stores });
    await world.start();
    const { reader } = (await stores.find(world.name))!;
    await db.query(`INSERT INTO log.search (place, key0, key1, key2)
      SELECT (log.id::bigint << 40) + at, ${uuidOf("at")}, ${uuidOf("at % 7")}, ${uuidOf("at % 50")}
      FROM log.log, generate_series(0, 999) AS at`);
    const none = { column: "key0", bytes: new Uint8Array(16) } as const;
    const asked = range(200).map((at) => {
      const columns = [["key0"], ["key1"], ["key2"], ["key0", "key1"], ["key2", "key1", "key0"]] as const;
      const keys = columns[at % 5]!.map((column) => ({ column, bytes: keyOf(at % 60) }));
      return { keys, end: BigInt(200 + ((at * 37) % 801)), candidates: [1, 3, 20, 143, 1000][at % 4]! };
    });
    const search = (more: number) =>
      asked.map(({ keys, end, candidates }) =>
        reader.search({
          end,
          candidates,
          groups: [[...keys, ...range(more).map(() => none)]],
          begin: 0n,
          order: "newest",
        }),
      );
    // With so many keys a question goes alone.
    const alone = [];
    for (const answer of search(4)) alone.push(await answer);
    expect(await Promise.all(search(0))).toEqual(alone);
    expect(alone.filter(({ indexes }) => indexes.length > 1).length).toBeGreaterThan(50);
  });

  test("no statement scans a table or starts workers in a log of 30,000 entries", async () => {
    const { db, store } = await server.database();
    await new World({ store: await store() }).start();
    await db.query(`INSERT INTO log.entry (log, index, time, leaf)
      SELECT 1, at, 0, convert_to(repeat('leaf', 340), 'UTF8') FROM generate_series(0, 29999) AS at`);
    await db.query(`INSERT INTO log.identity (log, index, hash)
      SELECT 1, at, sha256(int8send(at)) FROM generate_series(0, 29999) AS at`);
    await db.query("ALTER TABLE log.search_key DISABLE TRIGGER moved_on");
    await db.query(`INSERT INTO log.search_key (log, index, key)
      SELECT 1, at, substr(sha256(int8send(at)), 17) FROM generate_series(0, 29999) AS at`);
    const uuid = "encode(substr(sha256(int8send(at)), 17), 'hex')::uuid";
    await db.query(`INSERT INTO log.search (place, key0, key1, key2, term0, term1, term2, term3)
      SELECT (1::bigint << 40) + at, ${uuid}, ${uuid}, ${uuid}, at, 1, at % 10, at % 1000 FROM generate_series(0, 29999) AS at`);
    await db.query(
      `INSERT INTO log.name (log, name, key) SELECT 1, 'name ' || at, ${uuid} FROM generate_series(0, 29999) AS at`,
    );
    await db.query("ANALYZE log.entry, log.identity, log.search_key, log.search, log.name");
    const searches = [countStatement(true), countStatement(false), SHARED_SEARCH];
    for (const order of ["newest", "oldest"] as const) {
      for (const columns of [SEARCH_COLUMNS, ["key0"], ["key0", "key1"], ["key0", "key1", "key2"]] as const) {
        const [plain, legacy] = [
          { order, columns, legacy: false },
          { order, columns, legacy: true },
        ];
        for (const shape of [plain, legacy]) {
          searches.push(searchStatement({ ...shape, others: true }), searchStatement({ ...shape, others: false }));
        }
      }
    }
    expect(new Set(searches.map(({ name }) => name)).size).toBe(35);
    for (const statement of [...Object.values(statements), ...searches]) {
      if (typeof statement === "string") continue;
      const { name, text } = statement;
      const plan = await db.query<{ "QUERY PLAN": string }>(`EXPLAIN (GENERIC_PLAN) ${text}`);
      expect(plan.map((row) => row["QUERY PLAN"]).join("\n"), name).not.toMatch(/Seq Scan|Bitmap|Gather/);
    }
  });
});
