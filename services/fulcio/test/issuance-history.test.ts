import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type EmbeddedPostgres, startEmbedded } from "@chancery/postgres";
import { Pushback, Unavailable } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { selectCertificates, selectRefusals } from "../src/ledger/history-statements.ts";
import { type CertificateQuery, PostgresIssuanceHistory, PostgresIssuanceLedger } from "../src/index.ts";

describe("what a question costs", () => {
  let directory: string;
  let server: EmbeddedPostgres;
  let db: Database;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "issuance-history-"));
    server = await startEmbedded({ directory });
    db = await Database.open(server.url, { max: 3 });
    await PostgresIssuanceLedger.open(db);
    await db.query(`INSERT INTO fulcio.certificate
      SELECT i, i, decode(lpad(to_hex(i), 40, '0'), 'hex'), sha256('a'), sha256(int4send(i)), sha256('c'),
        'https://one.example', 'subject', 'email', CASE WHEN i % 2 = 0 THEN 'common@example.com' ELSE 'n' || i END, NULL, ''
      FROM generate_series(1, 20000) AS i`);
    await db.query(`INSERT INTO fulcio.refusal (time, count, code, reason, issuer, subject)
      SELECT i, 1, 'policy', 'r', 'https://one.example', 's' || i FROM generate_series(1, 20000) AS i`);
    await db.query("ANALYZE fulcio.certificate, fulcio.refusal");
  });
  afterAll(async () => {
    await db?.close();
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  interface PlanNode {
    readonly "Index Name"?: string;
    readonly "Node Type": string;
    readonly "Actual Rows": number;
    readonly "Rows Removed by Filter"?: number;
    readonly Plans?: readonly PlanNode[];
  }

  async function scans(statement: { text: string; values: readonly unknown[] }): Promise<[string, number][]> {
    const [row] = await db.query<{ "QUERY PLAN": readonly [{ Plan: PlanNode }] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${statement.text}`,
      statement.values,
    );
    const walk = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(walk)];
    return walk(row!["QUERY PLAN"][0].Plan)
      .filter((node) => node["Node Type"].includes("Scan") && node["Node Type"] !== "Subquery Scan")
      .map((node) => [
        node["Index Name"] ?? node["Node Type"],
        node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0),
      ]);
  }

  const page = { order: "newest", limit: 50 } as const;
  const cases: readonly [string, Partial<CertificateQuery>, string, number][] = [
    ["nothing", {}, "certificate_pkey", 51],
    ["a page in the middle", { after: { time: 10_000, serial: new Uint8Array(20) } }, "certificate_pkey", 51],
    ["a time", { from: 500, to: 600 }, "certificate_pkey", 51],
    ["the issuer of all", { issuer: "https://one.example", to: 900 }, "certificate_by_issuer", 51],
    ["an issuer of none", { issuer: "https://none.example" }, "certificate_by_issuer", 0],
    ["a common name", { san: "common@example.com" }, "certificate_by_san", 5_000],
    ["a rare name", { san: "n7777" }, "certificate_by_san", 1],
    [
      "a name and another issuer",
      { san: "common@example.com", issuer: "https://none.example" },
      "certificate_by_san",
      5_000,
    ],
    ["a subject", { subject: "subject", order: "oldest" }, "certificate_by_subject", 5_000],
    ["a key", { keyHash: new Uint8Array(32) }, "certificate_by_key", 0],
    ["a serial number", { serial: new Uint8Array(20) }, "certificate_by_serial", 0],
  ];
  test.for(cases)("is a bounded walk along one index, for %s", async ([, query, index, most]) => {
    const found = await scans(selectCertificates({ ...page, ...query }));
    expect(found).toEqual([[index, expect.any(Number)]]);
    expect(found[0]![1]).toBeLessThanOrEqual(most);
  });

  test("is so for refusals too", async () => {
    expect(await scans(selectRefusals({ ...page, code: "policy" }))).toEqual([["refusal_by_code", 51]]);
    expect(await scans(selectRefusals({ ...page, subject: "s7" }))).toEqual([["refusal_by_subject", 1]]);
    expect(await scans(selectRefusals({ ...page, issuer: "https://one.example" }))).toEqual([
      ["refusal_by_issuer", 51],
    ]);
    expect(await scans(selectRefusals({ ...page, from: 5, to: 7 }))).toEqual([["refusal_pkey", 2]]);
  });

  test("a page that looked at as many as it may goes on where it stopped", async () => {
    const history = new PostgresIssuanceHistory(db);
    const query = { san: "common@example.com", issuer: "https://none.example", order: "newest", limit: 50 } as const;
    const first = await history.certificates(query);
    expect(first).toEqual({ entries: [], next: { time: 10_002, serial: expect.any(Uint8Array) } });
    const second = await history.certificates({ ...query, after: first.next });
    expect(second).toEqual({ entries: [], next: { time: 2, serial: expect.any(Uint8Array) } });
    expect(await history.certificates({ ...query, after: second.next })).toEqual({ entries: [], next: undefined });
  });

  /** The database, and how many transactions of it there were and are at once. */
  function watched() {
    const seen = { all: 0, atOnce: 0, most: 0 };
    const readOnly: Database["readOnly"] = async (work) => {
      seen.all += 1;
      seen.most = Math.max(seen.most, ++seen.atOnce);
      try {
        return await db.readOnly(work);
      } finally {
        seen.atOnce -= 1;
      }
    };
    return { seen, watchedDb: Object.assign(Object.create(db) as Database, { readOnly }) };
  }

  test("a stranger who asks for summaries over and over keeps one backend busy, with one count of each in ten seconds", async () => {
    const { seen, watchedDb } = watched();
    let now = 0;
    const history = new PostgresIssuanceHistory(watchedDb, () => now);
    const answers = await Promise.all(Array.from({ length: 40 }, () => summary(history, 0)));
    expect(new Set(answers.map(String))).toEqual(new Set(["20000,20000"]));
    expect(seen).toEqual({ all: 2, atOnce: 0, most: 1 });
    now = 9_999;
    await summary(history, 0);
    expect(seen.all).toBe(2);
    now = 10_000;
    await summary(history, 0);
    expect(seen).toEqual({ all: 4, atOnce: 0, most: 1 });
  });

  test("a stranger who asks for a summary of another time each time keeps one backend busy, and is pushed back", async () => {
    const { seen, watchedDb } = watched();
    const history = new PostgresIssuanceHistory(watchedDb, () => 0);
    const asked = Array.from({ length: 40 }, (_, at) => summary(history, 19_990 - at));
    const ended = await Promise.allSettled(asked);
    const refused = ended.filter((each) => each.status === "rejected").map(({ reason }) => reason as unknown);
    expect(refused).toHaveLength(36);
    expect(refused.every((reason) => reason instanceof Pushback)).toBe(true);
    expect(seen).toEqual({ all: 8, atOnce: 0, most: 1 });
    // And is answered when the others are.
    expect(await summary(history, 19_990)).toEqual([11, 11]);
    expect(await summary(history, 19_000)).toEqual([1_001, 1_001]);
  });

  test("a count that failed is counted anew, by whoever asks next", async () => {
    const broken = Object.assign(Object.create(db) as Database, {
      readOnly: () => Promise.reject(new Unavailable("the database is away", 1)),
    });
    const history = new PostgresIssuanceHistory(broken, () => 0);
    await expect(history.countCertificates({ from: 0, to: 30_000 })).rejects.toThrow(Unavailable);
    Object.assign(broken, { readOnly: db.readOnly.bind(db) });
    expect((await history.countCertificates({ from: 0, to: 30_000 })).count).toBe(20_000);
  });
});

async function summary(history: PostgresIssuanceHistory, from: number): Promise<[number, number]> {
  const range = { from, to: 30_000 };
  const [certificates, refusals] = await Promise.all([history.countCertificates(range), history.countRefusals(range)]);
  return [certificates.count, refusals.count];
}
