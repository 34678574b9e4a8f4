import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type EmbeddedPostgres, type Queryable, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PostgresIssuanceHistory, PostgresIssuanceLedger, writersEnded } from "../src/index.ts";

let directory: string;
let server: EmbeddedPostgres;
let db: Database;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "writers-under-way-"));
  server = await startEmbedded({ directory });
  db = await Database.open(server.url);
  await PostgresIssuanceLedger.open(db);
});
afterAll(async () => {
  await db?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

const INSERT = `INSERT INTO fulcio.certificate
  VALUES ($1::bigint, $1::bigint, decode(lpad(to_hex($1::bigint), 40, '0'), 'hex'), sha256('a'), sha256('b'), sha256('c'),
    'https://one.example', 'subject', 'email', 'one@example.com', NULL, '')`;

/** The database, and a promise that it was asked so many times. */
function counted(times: number) {
  const asked = Promise.withResolvers<void>();
  let left = times;
  const query: Queryable["query"] = async (sql, params) => {
    const rows = await db.query(sql, params);
    if (--left === 0) asked.resolve();
    return rows as never;
  };
  return { watched: { query }, asked: asked.promise };
}

test("a certificate whose commit is slow is not missed by who reads after its writers have ended", async () => {
  const history = new PostgresIssuanceHistory(db);
  const page = () => history.certificates({ order: "oldest", limit: 10 });
  const [written, commit] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow = db.transaction(async (tx) => {
    await tx.query(INSERT, [1]);
    written.resolve();
    await commit.promise;
  });
  await Promise.race([written.promise, slow]);
  const { watched, asked } = counted(3);
  let isEnded = false;
  const ended = writersEnded(watched).then(() => (isEnded = true));
  // It has looked three times, and looks on.
  await asked;
  expect(isEnded).toBe(false);
  expect((await page()).entries).toEqual([]);
  commit.resolve();
  await Promise.all([slow, ended]);
  expect((await page()).entries).toHaveLength(1);
});

test("who begins to write later is not waited for, nor who only reads", async () => {
  const release = Promise.withResolvers<void>();
  const reading = db.transaction(async (tx) => {
    await tx.query("SELECT * FROM fulcio.certificate");
    await release.promise;
  });
  await writersEnded(db);
  release.resolve();
  await reading;
});
