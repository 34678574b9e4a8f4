import { createHash, X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type EmbeddedPostgres, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { PostgresIssuanceHistory, PostgresIssuanceLedger } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { type FulcioUnderTest, leafOf, startFulcio } from "./fulcio-under-test.ts";
import { issuedEntry, refusedEntry } from "./ledger-contract.ts";

const API = "/api/chancery/v1";
const email = "dev@example.com";
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const serials = (page: { results: { serial: string }[] }) => page.results.map(({ serial }) => serial);

let directory: string;
let server: EmbeddedPostgres;
let issuer: FakeIssuer;
let made = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "issuance-api-"));
  [server, issuer] = await Promise.all([startEmbedded({ directory }), FakeIssuer.start()]);
});
afterAll(async () => {
  await issuer?.[Symbol.asyncDispose]();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function database(): Promise<Database> {
  const name = `audited_${++made}`;
  await using admin = await Database.open(server.url, { max: 1 });
  await admin.query(`CREATE DATABASE ${name} STRATEGY wal_log`);
  return Database.open(server.url.replace("/chancery?", `/${name}?`), { max: 4 });
}

interface World extends AsyncDisposable {
  readonly fulcio: FulcioUnderTest;
  readonly ledger: PostgresIssuanceLedger;
  /** Hashes of keys that the signature log is to know. */
  readonly used: Set<string>;
  // oxlint-disable-next-line typescript/no-explicit-any -- each test says what it expects in there.
  get(path: string): Promise<any>;
}

async function world(clock?: () => number): Promise<World> {
  const db = await database();
  const ledger = await PostgresIssuanceLedger.open(db);
  const used = new Set<string>();
  const keyUse = {
    inLog: async (asked: readonly { keyHash: Uint8Array }[]) => asked.map(({ keyHash }) => used.has(hex(keyHash))),
  };
  const fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
    ledger,
    auditing: { history: new PostgresIssuanceHistory(db), keyUse },
    ...(clock === undefined ? {} : { clock }),
  });
  return {
    fulcio,
    ledger,
    used,
    get: async (path) => {
      const answer = await fulcio.request(`${API}/${path}`);
      expect(answer.status, answer.body).toBe(200);
      return answer.json();
    },
    [Symbol.asyncDispose]: async () => {
      await fulcio[Symbol.asyncDispose]();
      await db.close();
    },
  };
}

describe("what was issued, over HTTP", () => {
  let one: World;
  let leaf: Uint8Array;
  let token: string;

  beforeAll(async () => {
    one = await world();
    token = issuer.token({ sub: "someone" });
    leaf = leafOf(await one.fulcio.enrol(token, email));
    await one.fulcio.enrol(issuer.token({ exp: 1 }), email);
    await vi.waitFor(async () => expect(await one.ledger.refused({ limit: 1 })).toHaveLength(1), { timeout: 10_000 });
  });
  afterAll(() => one?.[Symbol.asyncDispose]());

  test("a certificate tells all that an auditor compares, and no token", async () => {
    const { results, cursor } = await one.get("certificates");
    const certificate = new X509Certificate(leaf);
    const spki = new Uint8Array(certificate.publicKey.export({ type: "spki", format: "der" }));
    expect(results).toEqual([
      {
        serial: certificate.serialNumber.toLowerCase().padStart(40, "0"),
        issuedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        notBefore: `${new Date(certificate.validFrom).toISOString().slice(0, 19)}Z`,
        notAfter: `${new Date(certificate.validTo).toISOString().slice(0, 19)}Z`,
        issuer: issuer.url,
        subject: "someone",
        sans: [{ type: "email", value: email }],
        extensions: { issuer: issuer.url, tokenSubject: "someone" },
        keyHash: sha256(spki),
        certificateHash: sha256(leaf),
        claimsHash: sha256(Buffer.from(token.split(".")[1]!, "base64url")),
        ctLog: sha256(one.fulcio.ctLog.publicKey.spki),
        ctIndex: "0",
      },
    ]);
    expect(cursor).toBeUndefined();
  });

  test("a certificate is found by its serial number, with its PEM, however tools write the number", async () => {
    const serial = new X509Certificate(leaf).serialNumber;
    const colons = serial.match(/../g)!.join(":");
    for (const text of [serial, serial.toLowerCase(), colons, serial.replace(/^0+/, "")]) {
      const { pem } = await one.get(`certificates/${text}`);
      expect(new X509Certificate(pem as string).raw).toEqual(Buffer.from(leaf));
    }
    const none = await one.fulcio.request(`${API}/certificates/${"ab".repeat(20)}`);
    expect([none.status, none.json()]).toEqual([
      404,
      { code: "not-found", message: "serial: no certificate of this ledger has it" },
    ]);
  });

  test("each filter finds it, and each other value does not", async () => {
    const [{ keyHash, serial }] = (await one.get("certificates")).results;
    const filters = { san: email, issuer: issuer.url, subject: "someone", serial, keyHash };
    for (const [name, value] of Object.entries(filters)) {
      const other = /^[0-9a-f]+$/.test(value)
        ? value.replace(/^./, (digit: string) => (digit === "0" ? "1" : "0"))
        : `${value}x`;
      expect((await one.get(`certificates?${name}=${encodeURIComponent(value)}`)).results, name).toHaveLength(1);
      expect((await one.get(`certificates?${name}=${encodeURIComponent(other)}`)).results, name).toEqual([]);
    }
    const all = new URLSearchParams(filters);
    expect((await one.get(`certificates?${all.toString()}`)).results).toHaveLength(1);
    all.set("issuer", "https://other.example");
    expect((await one.get(`certificates?${all.toString()}`)).results).toEqual([]);
  });

  test("a refusal tells its step, its reason and whose token it was, and no token", async () => {
    const { results } = await one.get("refusals?code=token-times");
    expect(results).toEqual([
      {
        time: expect.stringMatching(/Z$/),
        code: "token-times",
        reason: expect.stringContaining("expired"),
        issuer: issuer.url,
        count: 1,
      },
    ]);
    const everything = await Promise.all(
      ["certificates", "refusals", "issuance/summary", "issuance/unused"].map((path) => one.get(path)),
    );
    for (const part of token.split(".")) expect(JSON.stringify(everything)).not.toContain(part);
  });

  test.for([
    ["certificates?color=red", "color: there is no such parameter"],
    ["certificates?san=a&san=b", "san: is given more than once"],
    ["certificates?san=", "san: is empty"],
    ["certificates?san=a%00b", "san: has a NUL character"],
    [`certificates?san=${"x".repeat(9000)}`, "san: has more than 8192 characters"],
    ["certificates?serial=xyz", "serial: is not a serial number"],
    [`certificates?serial=${"00".repeat(21)}`, "serial: is not a serial number"],
    ["certificates/xyz", "serial: is not a serial number"],
    ["certificates?keyHash=abc", "keyHash: is not a SHA-256"],
    ["certificates?from=yesterday", "from: is not a time"],
    ["certificates?from=2026-02-31T25:00:00Z", "from: is not a time"],
    ["certificates?from=2026-02-31T00:00:00Z", "from: is not a time"],
    ["certificates?to=1969-01-01T00:00:00Z", "to: is before 1970"],
    ["certificates?limit=0", "limit: is not a number from 1 to 500"],
    ["certificates?limit=501", "limit: is not a number from 1 to 500"],
    ["certificates?order=random", "order: is neither newest nor oldest"],
    ["certificates?cursor=e30", "cursor: is not one"],
    [`certificates?cursor=5.${"a".repeat(40)}.${"0".repeat(16)}`, "cursor: belongs to other filters"],
    ["refusals?code=nonsense", "code: is none of token-shape"],
    ["issuance/summary?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from: is not before to"],
    ["issuance/summary?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from: is more than 366 days before"],
  ] as const)("refuses %s and names the parameter", async ([path, message]) => {
    const answer = await one.fulcio.request(`${API}/${path}`);
    expect([answer.status, answer.json()]).toEqual([
      400,
      { code: "malformed", message: expect.stringContaining(message) },
    ]);
  });
});

describe("a long ledger", () => {
  test("is read page by page in either order, without a gap, also within one millisecond and under a filter", async () => {
    await using one = await world();
    const entries = Array.from({ length: 23 }, (_, at) =>
      issuedEntry({ time: Math.floor(at / 10), issuer: `https://${at % 2}.example` }),
    );
    await Promise.all(entries.map((entry) => one.ledger.recordIssued(entry)));
    const expected = entries
      .filter(({ issuer: of }) => of === "https://1.example")
      .toSorted((a, b) => a.time - b.time || Buffer.compare(a.serial, b.serial))
      .map(({ serial }) => hex(serial));
    for (const order of ["oldest", "newest"] as const) {
      const filters = `issuer=https://1.example&order=${order}&to=2000-01-01T00:00:00Z`;
      const found: string[] = [];
      for (let cursor = ""; ;) {
        const page = await one.get(`certificates?${filters}&limit=3${cursor}`);
        found.push(...serials(page));
        if (page.cursor === undefined) break;
        cursor = `&cursor=${page.cursor}`;
        expect(page.results).toHaveLength(3);
      }
      expect(found).toEqual(order === "oldest" ? expected : expected.toReversed());
    }
    const { cursor } = await one.get("certificates?limit=2");
    const other = await one.fulcio.request(`${API}/certificates?limit=2&order=oldest&cursor=${cursor}`);
    expect(other.json().message).toBe("cursor: belongs to other filters");
  });

  test("refusals are paged the same way", async () => {
    await using one = await world();
    for (let at = 0; at < 11; at++) await one.ledger.recordRefused(refusedEntry({ reason: `${at}`, time: 5 }));
    const reasons: string[] = [];
    for (let cursor = ""; ;) {
      const page = await one.get(`refusals?code=audience&limit=4${cursor}`);
      reasons.push(...page.results.map(({ reason }: { reason: string }) => reason));
      if (page.cursor === undefined) break;
      cursor = `&cursor=${page.cursor}`;
    }
    expect(reasons).toEqual(Array.from({ length: 11 }, (_, at) => `${10 - at}`));
  });

  test("hostile texts come out of JSON as they went in, and a damaged certificate hides nothing", async () => {
    await using one = await world();
    const hostile = [
      `"><script>alert(1)</script>`,
      "=cmd|' /C calc'!A0",
      "\u202Egnp.exe\u0007\r\nSet-Cookie: a=b",
      "😀\u2028'--",
    ];
    for (const subject of hostile) {
      await one.ledger.recordIssued(issuedEntry({ subject, san: { type: "uri", value: subject } }));
      await one.ledger.recordRefused(refusedEntry({ subject, reason: subject, code: "policy", rule: subject }));
    }
    for (const subject of hostile) {
      const asked = encodeURIComponent(subject);
      const [{ subject: found, sans, unreadable }] = (await one.get(`certificates?san=${asked}`)).results;
      expect([found, sans[0].value, unreadable]).toEqual([subject, subject, expect.stringContaining("certificate")]);
      const [refusal] = (await one.get(`refusals?subject=${asked}`)).results;
      expect([refusal.subject, refusal.reason, refusal.rule]).toEqual([subject, subject, subject]);
    }
  });
});

describe("the summary", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  const DAY = 86_400_000;

  test("counts by issuer, identity, reason and day", async () => {
    await using one = await world(() => now);
    const at = (days: number, parts = {}) => one.ledger.recordIssued(issuedEntry({ time: now - days * DAY, ...parts }));
    await at(0.1, { san: { type: "uri", value: "https://ci.example/x" }, issuer: "https://ci.example" });
    await at(1);
    await at(1);
    await at(40);
    await one.ledger.recordRefused(refusedEntry({ time: now - DAY, count: 41 }));
    await one.ledger.recordRefused(refusedEntry({ time: now - DAY, code: "policy", issuer: undefined }));
    const { from, to, certificates, refusals, days } = await one.get("issuance/summary?from=2026-03-08T00:00:00Z");
    expect([from, to]).toEqual(["2026-03-08T00:00:00Z", "2026-03-10T12:00:10Z"]);
    expect(certificates).toEqual({
      count: 3,
      complete: true,
      issuers: {
        different: 2,
        top: [
          { issuer: "https://issuer.example", count: 2 },
          { issuer: "https://ci.example", count: 1 },
        ],
      },
      identities: {
        different: 2,
        top: [
          { type: "email", value: email, count: 2, first: "2026-03-09T12:00:00Z", last: "2026-03-09T12:00:00Z" },
          { type: "uri", value: "https://ci.example/x", count: 1, first: expect.any(String), last: expect.any(String) },
        ],
      },
    });
    expect(refusals).toEqual({
      count: 42,
      complete: true,
      issuers: { different: 2, top: [{ issuer: "https://issuer.example", count: 41 }, { count: 1 }] },
      reasons: [
        { code: "audience", count: 41 },
        { code: "policy", count: 1 },
      ],
    });
    expect(days).toEqual([
      { day: "2026-03-08", certificates: 0, refusals: 0 },
      { day: "2026-03-09", certificates: 2, refusals: 42 },
      { day: "2026-03-10", certificates: 1, refusals: 0 },
    ]);
    expect((await one.get("issuance/summary")).certificates.count).toBe(3);
  });

  test("of an empty ledger is empty", async () => {
    await using one = await world(() => now);
    const summary = await one.get("issuance/summary?from=2026-03-10T00:00:00Z");
    expect(summary).toMatchObject({
      certificates: { count: 0, complete: true, issuers: { different: 0, top: [] } },
      refusals: { count: 0, reasons: [] },
      days: [{ day: "2026-03-10", certificates: 0, refusals: 0 }],
      unused: { results: [] },
    });
  });

  test("names certificates whose key no log has seen, but not those that may still be used, page by page", async () => {
    await using one = await world(() => now);
    const entries = Array.from({ length: 450 }, (_, at) => issuedEntry({ time: now - 20 * 60_000 - at * 1000 }));
    const young = issuedEntry({ time: now - 5 * 60_000 });
    await Promise.all([...entries, young].map((entry) => one.ledger.recordIssued(entry)));
    for (const [at, { keyHash }] of entries.entries()) if (at % 100 !== 7) one.used.add(hex(keyHash));
    const { unused } = await one.get("issuance/summary");
    const found = serials(unused);
    for (let cursor = unused.cursor as string | undefined; cursor !== undefined;) {
      const page = await one.get(`issuance/unused?cursor=${cursor}`);
      found.push(...serials(page));
      cursor = page.cursor;
    }
    expect(found).toEqual([7, 107, 207, 307, 407].map((at) => hex(entries[at]!.serial)));
  });
});

test("without a history there is no such path", async () => {
  await using fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
  });
  expect((await fulcio.request(`${API}/certificates`)).status).toBe(404);
});
