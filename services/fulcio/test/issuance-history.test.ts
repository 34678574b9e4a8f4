import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type EmbeddedPostgres, startEmbedded } from "@chancery/postgres";
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
});
