import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Misconfigured, Unavailable } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bigintArray,
  bytesArray,
  Database,
  type EmbeddedPostgres,
  integerArray,
  migrate,
  OutcomeUnknown,
  startEmbedded,
} from "../src/index.ts";
import { cuttingProxy } from "./cutting-proxy.ts";

let directory: string;
let server: EmbeddedPostgres;
let db: Database;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "database-test-"));
  server = await startEmbedded({ directory });
  db = await Database.open(server.url);
});

afterAll(async () => {
  await db.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

describe("values", () => {
  test("bigint and bytea keep every bit, both ways", async () => {
    const number = 2n ** 63n - 1n;
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const [row] = await db.query("SELECT $1::bigint AS number, $2::bytea AS bytes, NULL::bytea AS nothing", [
      number,
      bytes,
    ]);
    expect(row).toEqual({ number, bytes, nothing: null });
    expect(Object.getPrototypeOf((row as { bytes: object }).bytes)).toBe(Uint8Array.prototype);
  });

  test("arrays go in binary and come back whole, the empty one too", async () => {
    for (const count of [0, 1, 300]) {
      const bytes = Array.from({ length: count }, (_, index) => new Uint8Array(index % 40).fill(index));
      const bigints = bytes.map((_, index) => BigInt(index) - 2n ** 40n);
      const integers = bytes.map((_, index) => index - 7);
      const rows = await db.query("SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::int[]) AS t (b, n, i)", [
        bytesArray(bytes),
        bigintArray(bigints),
        integerArray(integers),
      ]);
      expect(rows).toEqual(bytes.map((b, index) => ({ b, n: bigints[index], i: integers[index] })));
      const [back] = await db.query("SELECT $1::bytea[] AS b, $2::bigint[] AS n", [
        bytesArray(bytes),
        bigintArray(bigints),
      ]);
      expect(back).toEqual({ b: bytes, n: bigints });
    }
  });

  test.each([
    ["standard_conforming_strings", "off"],
    ["bytea_output", "escape"],
  ])("are as they are written, whatever the database has for %s", async (setting, value) => {
    await db.query("CREATE DATABASE of_settings");
    try {
      await db.query(`ALTER DATABASE of_settings SET ${setting} = ${value}`);
      await using other = await Database.open(server.url.replace("/chancery?", "/of_settings?"), { max: 1 });
      expect(await other.query(String.raw`SELECT '\x00ff'::bytea AS bytes, '\n' AS text`)).toEqual([
        { bytes: Uint8Array.of(0, 255), text: String.raw`\n` },
      ]);
    } finally {
      await db.query("DROP DATABASE of_settings");
    }
  });

  test("a prepared statement is planned once and answers each time", async () => {
    const statement = { name: "test-add", text: "SELECT $1::int + 1 AS sum" };
    const sums = await db.transaction(async (tx) => {
      const rows = await Promise.all([1, 2, 3].map((n) => tx.query<{ sum: number }>(statement, [n])));
      const [{ plans }] = (await tx.query<{ plans: bigint }>(
        "SELECT count(*) AS plans FROM pg_prepared_statements WHERE name = 'test-add'",
      )) as [{ plans: bigint }];
      return [...rows.map(([row]) => row?.sum), plans];
    });
    expect(sums).toEqual([2, 3, 4, 1n]);
  });
});

describe("a transaction", () => {
  test("keeps everything or nothing", async () => {
    await db.query("CREATE TABLE kept (n int PRIMARY KEY)");
    await db.transaction((tx) => tx.query("INSERT INTO kept VALUES (1)"));
    const thrown = new Error("changed my mind");
    await expect(
      db.transaction(async (tx) => {
        await tx.query("INSERT INTO kept VALUES (2)");
        throw thrown;
      }),
    ).rejects.toBe(thrown);
    expect(await db.query("SELECT n FROM kept")).toEqual([{ n: 1 }]);
  });

  test("does not call a swallowed error a success", async () => {
    await expect(
      db.transaction(async (tx) => {
        await tx.query("SELECT 1/0").catch(() => {});
      }),
    ).rejects.toThrow("a statement of the transaction failed and its error was not heeded");
  });

  test("leaves its connection usable after an error", async () => {
    await using one = await Database.open(server.url, { max: 1 });
    await expect(one.transaction((tx) => tx.query("SELECT nonsense"))).rejects.toThrow("nonsense");
    expect(await one.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});

const HELD = "SELECT pg_sleep(600)";
const held = () => db.query("SELECT pid FROM pg_stat_activity WHERE query = $1", [HELD]);

describe("connections", () => {
  test("readers who hold all of theirs, and more who wait, keep no writer waiting", async () => {
    await using busy = await Database.open(server.url, { max: 2 });
    await busy.query("CREATE TABLE busy (n int)");
    const readers = [1, 2].map(() => busy.query(HELD).catch((error: unknown) => error));
    await expect.poll(held).toHaveLength(2);
    const waiting = busy.query("SELECT 1").catch((error: unknown) => error);
    await busy.reserved.query("INSERT INTO busy VALUES (1)");
    await busy.transaction((tx) => tx.query("INSERT INTO busy VALUES (2)"));
    expect(await busy.reserved.query("SELECT n FROM busy ORDER BY n")).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await held()).toHaveLength(2);
    await db.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = $1", [HELD]);
    expect(await Promise.all(readers)).toEqual([expect.any(Unavailable), expect.any(Unavailable)]);
    await waiting;
  });

  test("of writers are not opened for who only reads", async () => {
    await db.query("CREATE DATABASE only_read");
    await using reader = await Database.open(server.url.replace("/chancery?", "/only_read?"), { max: 3 });
    await Promise.all([1, 2, 3, 4, 5].map(() => reader.query("SELECT pg_sleep(0.01)")));
    await reader.readOnly((tx) => tx.query("SELECT 1"));
    const opened = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = 'only_read'";
    expect(await db.query(opened)).toEqual([{ count: 3n }]);
    await reader.reserved.query("SELECT 1");
    expect(await db.query(opened)).toEqual([{ count: 4n }]);
  });

  test("of searches change nothing", async () => {
    await expect(db.searches.query("CREATE TABLE searched ()")).rejects.toThrow(Unavailable);
    expect(await db.query("SELECT to_regclass('searched') AS made")).toEqual([{ made: null }]);
    expect(await db.searches.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("have each the time that its callers have: of a change of the schema nothing is cut short", async () => {
    const setting = "SELECT current_setting('statement_timeout') AS limit";
    expect(await db.query(setting)).toEqual([{ limit: "30s" }]);
    expect(await db.reserved.query(setting)).toEqual([{ limit: "10s" }]);
    expect(await db.transaction((tx) => tx.query(setting))).toEqual([{ limit: "10s" }]);
    expect(await db.searches.query(setting)).toEqual([{ limit: "2s" }]);
    expect(await db.unhurried((tx) => tx.query(setting))).toEqual([{ limit: "0" }]);
  });

  test("of a reader's transaction change nothing", async () => {
    await db.query("CREATE TABLE untouched (n int)");
    await expect(db.readOnly((tx) => tx.query("INSERT INTO untouched VALUES (1)"))).rejects.toMatchObject({
      cause: { code: "25006" },
    });
    expect(await db.query("SELECT n FROM untouched")).toEqual([]);
  });
});

describe("trouble with the server", () => {
  test("a wrong URL, database or server is named at once", async () => {
    await expect(Database.open("mysql://localhost")).rejects.toBeInstanceOf(Misconfigured);
    await expect(Database.open(server.url.replace("/chancery?", "/other?"))).rejects.toBeInstanceOf(Misconfigured);
    await expect(Database.open("postgres://u:p@/db?host=/nowhere")).rejects.toBeInstanceOf(Unavailable);
  });

  test("a connection that ends under a query is Unavailable with its cause; the next query has a new one", async () => {
    const lost = await db.query("SELECT pg_terminate_backend(pg_backend_pid())").catch((error: unknown) => error);
    expect(lost).toBeInstanceOf(Unavailable);
    expect((lost as Unavailable).cause).toBeInstanceOf(Error);
    expect(await db.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("connections that end while idle harm nobody", async () => {
    await using other = await Database.open(server.url);
    await other.query("SELECT 1");
    await db.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
    // Until the news has come, a query on one of them fails like any other.
    await expect.poll(() => other.query("SELECT 1 AS one").catch(() => [])).toEqual([{ one: 1 }]);
  });

  test.each([
    ["answer", [{ n: 1 }]],
    ["request", []],
  ] as const)("COMMIT whose %s is lost has an unknown outcome, and the database tells which", async (what, rows) => {
    await db.query("DROP TABLE IF EXISTS doubtful");
    await db.query("CREATE TABLE doubtful (n int)");
    await using proxy = await cuttingProxy(server.url);
    await using through = await Database.open(proxy.url);
    const cut = proxy.cutAtCommit(what);
    await expect(through.transaction((tx) => tx.query("INSERT INTO doubtful VALUES (1)"))).rejects.toBeInstanceOf(
      OutcomeUnknown,
    );
    await cut;
    expect(await db.query("SELECT n FROM doubtful")).toEqual(rows);
  });

  test.each([
    ["answer", [{ n: 1 }]],
    ["request", []],
  ] as const)("so has one that travels with its statements and whose %s is lost", async (what, rows) => {
    await db.query("DROP TABLE IF EXISTS doubtful");
    await db.query("CREATE TABLE doubtful (n int)");
    await using proxy = await cuttingProxy(server.url);
    await using through = await Database.open(proxy.url);
    const cut = proxy.cutAtCommit(what);
    const outcome = through.transaction(async (tx) => {
      const inserted = tx.query("INSERT INTO doubtful VALUES (1)");
      tx.commitTogether();
      await inserted;
    });
    await expect(outcome).rejects.toBeInstanceOf(OutcomeUnknown);
    await cut;
    expect(await db.query("SELECT n FROM doubtful")).toEqual(rows);
  });

  test("a writer is told within 15 s of a database that hangs and does not end its connections", async () => {
    await using proxy = await cuttingProxy(server.url);
    await using through = await Database.open(proxy.url);
    await through.transaction((tx) => tx.query("SELECT 1"));
    proxy.hang();
    const since = performance.now();
    await expect(through.transaction((tx) => tx.query("SELECT 1"))).rejects.toBeInstanceOf(Unavailable);
    expect(performance.now() - since).toBeLessThan(15_000);
    proxy.admit(false);
  }, 30_000);

  test("what the server refused is told, though the answer to the COMMIT that travelled along is lost", async () => {
    await using proxy = await cuttingProxy(server.url);
    await using through = await Database.open(proxy.url);
    const cut = proxy.cutAtCommit("last answer");
    const refused = through.transaction(async (tx) => {
      const statement = tx.query("SELECT 1 / 0");
      tx.commitTogether();
      await statement;
    });
    await expect(refused).rejects.toThrow("division by zero");
    await cut;
    expect(await through.query("SELECT 1 AS n")).toEqual([{ n: 1 }]);
  });

  test("nor does it hide what its caller found in the answers", async () => {
    await using proxy = await cuttingProxy(server.url);
    await using through = await Database.open(proxy.url);
    const cut = proxy.cutAtCommit("last answer");
    const refused = through.transaction(async (tx) => {
      const statement = tx.query("SELECT 1 AS n");
      tx.commitTogether();
      await statement;
      throw new RangeError("not what was stored");
    });
    await expect(refused).rejects.toThrow(RangeError);
    await cut;
  });

  test("a statement that would come after it is a mistake of ours", async () => {
    const late = db.transaction(async (tx) => {
      tx.commitTogether();
      await tx.query("SELECT 1");
    });
    await expect(late).rejects.toThrow("a statement after COMMIT");
  });

  test("a COMMIT that travels along commits, and nothing of what failed before it; the connection goes on", async () => {
    await using alone = await Database.open(server.url, { max: 1 });
    await alone.query("DROP TABLE IF EXISTS together");
    await alone.query("CREATE TABLE together (n int PRIMARY KEY)");
    const insert = (...numbers: number[]) =>
      alone.transaction(async (tx) => {
        const inserted = numbers.map((n) => tx.query("INSERT INTO together VALUES ($1)", [n]));
        tx.commitTogether();
        await Promise.all(inserted);
      });
    await insert(1, 2);
    await expect(insert(3, 1)).rejects.toThrow("duplicate key");
    await insert(4);
    expect(await alone.query("SELECT n FROM together ORDER BY n")).toEqual([{ n: 1 }, { n: 2 }, { n: 4 }]);
  });

  test("a connection lost before COMMIT is an ordinary failure", async () => {
    const failure = await db
      .transaction(async (tx) => {
        await tx.query("SELECT pg_terminate_backend(pg_backend_pid())").catch(() => {});
        await tx.query("SELECT 1");
      })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Unavailable);
    expect(failure).not.toBeInstanceOf(OutcomeUnknown);
  });
});

describe("migrations", () => {
  const steps = [
    { number: 1, name: "first", sql: "CREATE TABLE m1 (n int); INSERT INTO m1 VALUES (1)" },
    { number: 2, name: "second", sql: "ALTER TABLE m1 ADD COLUMN k int" },
  ];

  test("five processes that start at once run each step once", async () => {
    const starters = await Promise.all(Array.from({ length: 5 }, () => Database.open(server.url, { max: 1 })));
    await Promise.all(starters.map((starter) => migrate(starter, "race", steps)));
    await Promise.all(starters.map((starter) => starter.close()));
    expect(await db.query("SELECT n, k FROM m1")).toEqual([{ n: 1, k: null }]);
    expect(await db.query("SELECT number, title FROM chancery_schema WHERE name = 'race' ORDER BY 1")).toEqual([
      { number: 1, title: "first" },
      { number: 2, title: "second" },
    ]);
  });

  test("only the missing steps run, and a step that fails leaves the old schema", async () => {
    const wrong = { number: 3, name: "wrong", sql: "CREATE TABLE m3 (n int); SELECT 1/0" };
    await expect(migrate(db, "race", [...steps, wrong])).rejects.toThrow("division by zero");
    expect(await db.query("SELECT to_regclass('m3') AS table")).toEqual([{ table: null }]);
    await migrate(db, "race", [...steps, { ...wrong, sql: "CREATE TABLE m3 (n int)" }]);
    expect(await db.query("SELECT count(*) AS rows FROM m1")).toEqual([{ rows: 1n }]);
  });

  test("a schema newer than the program is refused", async () => {
    await expect(migrate(db, "race", steps)).rejects.toThrow(
      "CHANCERY_DATABASE_URL: schema race is at step 3, this program knows 2",
    );
  });
});

test.for(["SQL_ASCII", "LATIN1"])(
  "a database of the encoding %s is refused at the start, with what to do",
  async (encoding) => {
    const name = `other_${encoding.toLowerCase()}`;
    await db.query(`CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`);
    const opened = Database.open(server.url.replace("@/chancery?", `@/${name}?`));
    await expect(opened).rejects.toThrow(Misconfigured);
    await expect(opened).rejects.toThrow(
      `CHANCERY_DATABASE_URL: its database has the encoding ${encoding}, not UTF8; make one by`,
    );
    // And no connection is left behind.
    await db.query(`DROP DATABASE ${name}`);
  },
);
