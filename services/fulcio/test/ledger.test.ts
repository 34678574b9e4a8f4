import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type EmbeddedPostgres, startEmbedded } from "@chancery/postgres";
import { Unavailable } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { MemoryIssuanceLedger, PostgresIssuanceLedger } from "../src/index.ts";
import { GroupCommit } from "../src/ledger/group-commit.ts";
import { issuedEntry, ledgerContract, refusedEntry } from "./ledger-contract.ts";

ledgerContract("memory", async () => new MemoryIssuanceLedger());

describe("on PostgreSQL", () => {
  let directory: string;
  let server: EmbeddedPostgres;
  let made = 0;
  const open: Database[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ledger-test-"));
    server = await startEmbedded({ directory });
  });
  afterAll(async () => {
    await Promise.all(open.map((db) => db.close()));
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  async function database(): Promise<Database> {
    const name = `ledger_${++made}`;
    await using admin = await Database.open(server.url, { max: 1 });
    await admin.query(`CREATE DATABASE ${name} STRATEGY wal_log`);
    const db = await Database.open(server.url.replace("/chancery?", `/${name}?`), { max: 3 });
    open.push(db);
    return db;
  }

  ledgerContract("PostgreSQL", async () => PostgresIssuanceLedger.open(await database()));

  test("nothing in it can be changed or taken away, not even by the service's own role", async () => {
    const db = await database();
    const ledger = await PostgresIssuanceLedger.open(db);
    await ledger.recordIssued(issuedEntry());
    await ledger.recordRefused(refusedEntry());
    for (const table of ["certificate", "refusal"]) {
      await expect(db.query(`UPDATE fulcio.${table} SET time = 1`)).rejects.toThrow("append-only");
      await expect(db.query(`DELETE FROM fulcio.${table}`)).rejects.toThrow("append-only");
      await expect(db.query(`TRUNCATE fulcio.${table}`)).rejects.toThrow("append-only");
    }
    await db.query("CREATE ROLE auditor LOGIN; GRANT USAGE ON SCHEMA fulcio TO auditor");
    await db.query("GRANT SELECT ON ALL TABLES IN SCHEMA fulcio TO auditor");
    await db.transaction(async (tx) => {
      await tx.query("SET LOCAL ROLE auditor");
      expect(await tx.query("SELECT FROM fulcio.certificate")).toHaveLength(1);
    });
    expect(await ledger.issued({ limit: 9 })).toHaveLength(1);
  });

  test("two processes write one ledger, and it is opened again as it was", async () => {
    const db = await database();
    const [one, other] = [await PostgresIssuanceLedger.open(db), await PostgresIssuanceLedger.open(db)];
    await Promise.all(
      [one, other].flatMap((ledger) => [1, 2, 3].map((time) => ledger.recordIssued(issuedEntry({ time })))),
    );
    const again = await PostgresIssuanceLedger.open(db);
    expect((await again.issued({ limit: 9 })).map(({ time }) => time)).toEqual([3, 3, 2, 2, 1, 1]);
  });

  test("a certificate is recorded only if the database says so", async () => {
    const db = await database();
    const ledger = await PostgresIssuanceLedger.open(db);
    const entry = issuedEntry();
    await ledger.recordIssued(entry);
    // The same serial at the same time is refused by the key. What shares its batch is recorded all the same.
    const other = issuedEntry({ time: 5 });
    const both = await Promise.allSettled([ledger.recordIssued(entry), ledger.recordIssued(other)]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(await ledger.issued({ limit: 9 })).toEqual([entry, other]);
  });
});

describe("a group commit", () => {
  test("one entry alone is committed at once; what comes during a commit shares the next", async () => {
    const batches: number[][] = [];
    const commits: PromiseWithResolvers<void>[] = [];
    const group = new GroupCommit<number>(async (entries) => {
      batches.push([...entries]);
      const commit = Promise.withResolvers<void>();
      commits.push(commit);
      await commit.promise;
    }, 100);
    const committing = (count: number) => vi.waitFor(() => expect(commits).toHaveLength(count));
    const first = group.add(1);
    await committing(1);
    const others = [group.add(2), group.add(3)];
    expect(batches).toEqual([[1]]);
    commits[0]!.resolve();
    await first;
    await committing(2);
    expect(batches).toEqual([[1], [2, 3]]);
    commits[1]!.reject(new Unavailable("disk full", 1));
    expect((await Promise.allSettled(others)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const next = group.add(4);
    await committing(3);
    commits[2]!.resolve();
    await next;
    expect(batches).toEqual([[1], [2, 3], [4]]);
  });

  test("takes no more than it may hold", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const commit = vi.fn(() => promise);
    const group = new GroupCommit<number>(commit, 3);
    const waiting = [group.add(0)];
    await vi.waitFor(() => expect(commit).toHaveBeenCalledOnce());
    waiting.push(...[1, 2, 3].map((entry) => group.add(entry)));
    await expect(group.add(4)).rejects.toMatchObject({ code: "pushback" });
    resolve();
    await Promise.all(waiting);
  });
});
