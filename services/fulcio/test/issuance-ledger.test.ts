import { createHash, X509Certificate } from "node:crypto";
import { Unavailable } from "@chancery/fault";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { RefusalSampling } from "../src/domain/refusal-sampling.ts";
import { MemoryIssuanceLedger, type PlacedRefusal, type RefusedEntry } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { clientKey, createClientKey, type FulcioUnderTest, leafOf, startFulcio, v2Body } from "./fulcio-under-test.ts";

const email = "dev@example.com";
const sha256 = (bytes: Uint8Array | string) => new Uint8Array(createHash("sha256").update(bytes).digest());

const last = async () => (await fulcio.ledger.refused({ limit: 1 }))[0]!;

const refused = (parts: Partial<RefusedEntry> = {}) => ({
  code: "token-shape" as const,
  reason: "the token is not a compact JWS",
  issuer: undefined,
  subject: undefined,
  rule: undefined,
  ...parts,
});

let issuer: FakeIssuer;
let fulcio: FulcioUnderTest;
let config: string;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  config = `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`;
});
afterAll(() => issuer?.[Symbol.asyncDispose]());
beforeEach(async () => {
  fulcio = await startFulcio({ config });
  return () => fulcio[Symbol.asyncDispose]();
});

describe("a certificate", () => {
  test("is in the ledger with all that an auditor compares, and without the token", async () => {
    const token = issuer.token({ sub: "someone" });
    const answer = await fulcio.enrol(token, email);
    const leaf = leafOf(answer);
    const certificate = new X509Certificate(leaf);
    const entries = await fulcio.ledger.issued({ limit: 9 });
    const [, payload = "", signature = ""] = token.split(".");
    expect(entries).toEqual([
      {
        time: expect.any(Number),
        issuer: issuer.url,
        subject: "someone",
        san: { type: "email", value: email },
        serial: expect.any(Uint8Array),
        certificate: leaf,
        certificateHash: sha256(leaf),
        keyHash: sha256(certificate.publicKey.export({ type: "spki", format: "der" })),
        claimsHash: sha256(Buffer.from(payload, "base64url")),
        ctIndex: 0n,
        wouldRefuse: undefined,
      },
    ]);
    expect(BigInt(`0x${Buffer.from(entries[0]!.serial).toString("hex")}`)).toBe(
      BigInt(`0x${certificate.serialNumber}`),
    );
    const texts = JSON.stringify(entries, (_name, value: unknown) => (typeof value === "bigint" ? `${value}` : value));
    expect(texts).not.toContain(payload);
    expect(texts).not.toContain(signature);
  });

  test("is written after the CT log and before it leaves: if that fails, nothing leaves but 503", async () => {
    const order: string[] = [];
    const ledger = new MemoryIssuanceLedger();
    ledger.recordIssued = async () => {
      order.push(`ledger after ${broken.ctLog.submitted.length} in the CT log`);
      throw new Error("secret detail");
    };
    await using broken = await startFulcio({ config, ledger });
    const answer = await broken.enrol(issuer.token(), email);
    expect(order).toEqual(["ledger after 1 in the CT log"]);
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("2");
    expect(answer.json()).toEqual({
      code: 14,
      message: "the certificate could not be written into the issuance ledger",
      details: [],
    });
    expect((await ledger.refused({ limit: 9 })).map(({ code }) => code)).toEqual(["ledger"]);
  });

  test("waits for the ledger, however long that takes", async () => {
    const ledger = new MemoryIssuanceLedger();
    const written = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    ledger.recordIssued = () => (asked.resolve(), written.promise);
    await using slow = await startFulcio({ config, ledger });
    let answered = false;
    const answer = slow.enrol(issuer.token(), email).then(({ status }) => ((answered = true), status));
    await asked.promise;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    written.resolve();
    expect(await answer).toBe(200);
  });

  test("without a CT log, or with one that does not tell, has no index", async () => {
    await using unlogged = await startFulcio({ config, withoutCtLog: true });
    await unlogged.enrol(issuer.token(), email);
    fulcio.ctLog.disturb = async ({ index: _index, ...sct }) => sct;
    await fulcio.enrol(issuer.token(), email);
    for (const { ledger } of [unlogged, fulcio]) {
      expect((await ledger.issued({ limit: 9 })).map(({ ctIndex }) => ctIndex)).toEqual([undefined]);
    }
  });
});

describe("a refusal", () => {
  const cases: readonly [string, () => Promise<unknown>, Partial<PlacedRefusal>][] = [
    ["no token", () => fulcio.enrol("", email), { code: "token-shape", issuer: undefined }],
    ["no JWS", () => fulcio.enrol("a.b", email), { code: "token-shape" }],
    ["alg none", () => fulcio.enrol(issuer.token({}, { alg: "none" }), email), { code: "token-algorithm" }],
    ["no sub", () => fulcio.enrol(issuer.token({ sub: undefined }), email), { code: "token-claims" }],
    [
      "an issuer that nobody configured",
      () => fulcio.enrol(issuer.token({ iss: "https://evil.example" }), email),
      { code: "issuer-unknown", issuer: undefined, subject: undefined },
    ],
    [
      "another audience: the issuer as configured, the subject not, for nobody has verified it",
      () => fulcio.enrol(issuer.token({ aud: "other", sub: "invented" }), email),
      { code: "audience", issuer: "ISSUER", subject: undefined },
    ],
    ["expired", () => fulcio.enrol(issuer.token({ exp: 1 }), email), { code: "token-times", subject: undefined }],
    [
      "another token's signature",
      () => {
        const [header, payload] = issuer.token({ sub: "invented" }).split(".");
        return fulcio.enrol([header, payload, issuer.token().split(".")[2]].join("."), email);
      },
      { code: "token-signature", issuer: "ISSUER", subject: undefined },
    ],
    [
      "email not verified",
      () => fulcio.enrol(issuer.token({ email_verified: false }), email),
      { code: "identity", issuer: "ISSUER", subject: "subject-of-dev" },
    ],
    [
      "a proof by another name",
      () => fulcio.enrol(issuer.token(), "other@example.com"),
      { code: "proof-of-possession", subject: "subject-of-dev" },
    ],
    [
      "a key that is none",
      () => fulcio.request("/api/v2/signingCert", { body: v2Body(issuer.token(), { pem: "x" }, new Uint8Array(8)) }),
      { code: "public-key" },
    ],
    [
      "a weak key",
      () => fulcio.enrol(issuer.token(), email, createClientKey(1024)),
      { code: "insecure-key", subject: "subject-of-dev" },
    ],
    [
      "the CT log",
      () => {
        fulcio.ctLog.disturb = async () => {
          throw new Unavailable("away", 1);
        };
        return fulcio.enrol(issuer.token(), email);
      },
      { code: "ct-log", subject: "subject-of-dev" },
    ],
  ];

  test.for(cases)("has its code: %s", async ([, send, expected]) => {
    await send();
    const wanted = expected.issuer === "ISSUER" ? { ...expected, issuer: issuer.url } : expected;
    expect(await last()).toMatchObject({ count: 1, rule: undefined, ...wanted });
    expect(await fulcio.ledger.issued({ limit: 1 })).toEqual([]);
  });

  test("for lack of keys is told from a wrong signature", async () => {
    await using down = await FakeIssuer.start();
    down.answers.set("/.well-known/openid-configuration", (_request, response) => response.writeHead(500).end());
    await using other = await startFulcio({ config: config.replace(issuer.url, down.url) });
    expect((await other.enrol(down.token(), email)).status).toBe(503);
    expect(await other.ledger.refused({ limit: 9 })).toMatchObject([{ code: "issuer-unavailable", issuer: down.url }]);
  });

  test("changes nothing of the answer when it cannot be written", async () => {
    const ledger = new MemoryIssuanceLedger();
    ledger.recordRefused = () => Promise.reject(new Error("disk full"));
    await using broken = await startFulcio({ config, ledger });
    expect((await broken.enrol(issuer.token({ exp: 1 }), email)).status).toBe(400);
  });

  test("holds no text of an attacker's size", async () => {
    await fulcio.enrol(issuer.token({ sub: `${"s".repeat(9000)}\n`, email: "x".repeat(3000) }), email);
    const entry = await last();
    expect(entry.subject).toHaveLength(512);
    expect(entry.reason.length).toBeLessThanOrEqual(256);
    expect(`${entry.subject}${entry.reason}`).not.toMatch(/\p{Cc}/u);
  });
});

describe("a token of an unknown issuer", () => {
  test("is told of to the operator's log with the issuer it names, escaped and bounded, and not with anything else of it", async () => {
    const told: (string | undefined)[] = [];
    const ledger = new MemoryIssuanceLedger();
    const record = ledger.recordRefused.bind(ledger);
    ledger.recordRefused = async (entry, claimedIssuer?: string) => {
      told.push(claimedIssuer);
      await record(entry);
    };
    await using one = await startFulcio({ config, ledger });
    const long = `https://${"a".repeat(480)}.example.com`;
    for (const iss of ["https://mistyped.example.com/", "a\u001b[2J\u202eb\n\u2028", long]) {
      expect((await one.enrol(issuer.token({ iss }), email)).status).toBe(400);
    }
    expect((await one.enrol(issuer.token({ aud: "other" }), email)).status).toBe(400);
    expect(told).toEqual([
      "https://mistyped.example.com/",
      "a\\u{1b}[2J\\u{202e}b\\u{a}\\u{2028}",
      `${long.slice(0, 255)}…`,
      undefined,
    ]);
    const kept = JSON.stringify(await ledger.refused({ limit: 9 }), (_key, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
    expect(kept).not.toContain("mistyped");
  });
});

describe("a storm of refusals", () => {
  test("leaves some entries and one count of all others, and none gets lost", async () => {
    let now = 1_000_000;
    const ledger = new MemoryIssuanceLedger();
    const sampling = new RefusalSampling(ledger, () => now);
    for (let at = 0; at < 100_000; at++) {
      if (at % 1000 === 0) now += 10;
      sampling.record(refused());
    }
    await sampling.close();
    const entries = await ledger.refused({ limit: 1000 });
    expect(entries.length).toBeLessThan(70);
    expect(entries.reduce((sum, { count }) => sum + count, 0)).toBe(100_000);
  });

  test("without a token crowds out no refusal of who has one", async () => {
    const ledger = new MemoryIssuanceLedger();
    const sampling = new RefusalSampling(ledger, () => 1_000_000);
    for (let at = 0; at < 10_000; at++) sampling.record(refused());
    sampling.record(refused({ code: "policy", subject: "someone", rule: "main-only" }));
    await sampling.close();
    expect(await ledger.refused({ limit: 9, code: "policy" })).toMatchObject([{ subject: "someone", count: 1 }]);
  });

  test("writes its counts once a minute, kinds apart, and at most 65 of them", async () => {
    vi.useFakeTimers();
    try {
      const ledger = new MemoryIssuanceLedger();
      const sampling = new RefusalSampling(ledger, () => 1_000_000);
      for (let at = 0; at < 60; at++) sampling.record(refused());
      for (let at = 0; at < 500; at++) sampling.record(refused({ code: "audience", issuer: `https://${at}.example` }));
      sampling.record(refused());
      await vi.advanceTimersByTimeAsync(61_000);
      const summaries = (await ledger.refused({ limit: 1000 })).filter(({ reason }) => reason.startsWith("more"));
      expect(summaries.length).toBeLessThanOrEqual(66);
      expect(summaries.reduce((sum, { count }) => sum + count, 0)).toBe(501);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("is kept again one by one when it is over", async () => {
    let now = 1_000_000;
    const ledger = new MemoryIssuanceLedger();
    const sampling = new RefusalSampling(ledger, () => now);
    for (let at = 0; at < 1000; at++) sampling.record(refused());
    now += 10_000;
    for (let at = 0; at < 20; at++) sampling.record(refused({ reason: "later" }));
    expect((await ledger.refused({ limit: 1000 })).filter(({ reason }) => reason === "later")).toHaveLength(10);
    await sampling.close();
  });
});

test("the client's key stays the client's: nothing private is kept", async () => {
  await fulcio.enrol(issuer.token(), email);
  const [entry] = await fulcio.ledger.issued({ limit: 1 });
  const d = Buffer.from(String(clientKey.privateKey.export({ format: "jwk" }).d), "base64url");
  expect(Buffer.from(entry!.certificate).includes(d)).toBe(false);
});
