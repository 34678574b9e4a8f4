import { RateLimited } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IssuanceRate } from "../src/domain/issuance-rate.ts";
import type { Principal } from "../src/domain/principal.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";

const principal = (value: string): Principal => ({ name: value, san: { type: "email", value }, extensions: {} });
const DEV = principal("dev@example.com");
const SECOND = 1_000;

describe("the rate of one identity", () => {
  test("is all at once, and then one for each share of the time", () => {
    let now = 5_000_000;
    const rate = new IssuanceRate({ perMinute: 3 }, () => now);
    const take = () => rate.take("https://issuer.example", DEV);
    for (let taken = 0; taken < 3; taken++) take();
    expect(take).toThrow("this identity may have 3 certificates in a minute, the next one in 20 s");
    now += 19 * SECOND;
    expect(take).toThrow(expect.objectContaining({ retryAfter: 1 }));
    now += SECOND;
    take();
    expect(take).toThrow(RateLimited);
    now += 60 * SECOND;
    for (let taken = 0; taken < 3; taken++) take();
    expect(take).toThrow(RateLimited);
  });

  test("is held to the minute and to the hour, and a refusal counts for neither", () => {
    let now = 0;
    const rate = new IssuanceRate({ perMinute: 2, perHour: 3 }, () => now);
    const take = () => rate.take("https://issuer.example", DEV);
    take();
    take();
    for (let refused = 0; refused < 50; refused++) expect(take).toThrow(/a minute/);
    now += 60 * SECOND;
    take();
    expect(take).toThrow("this identity may have 3 certificates in an hour, the next one in 1140 s");
    now += 1_140 * SECOND;
    take();
  });

  test("is its own: not that of another name, another issuer or another kind of name", () => {
    const rate = new IssuanceRate({ perHour: 1 }, () => 0);
    rate.take("https://issuer.example", DEV);
    expect(() => rate.take("https://issuer.example", DEV)).toThrow(RateLimited);
    rate.take("https://other.example", DEV);
    rate.take("https://issuer.example", principal("ops@example.com"));
    rate.take("https://issuer.example", { ...DEV, san: { type: "uri", value: "dev@example.com" } });
  });

  test("survives a clock that is put back", () => {
    let now = 10 * 365 * 86_400 * SECOND;
    const rate = new IssuanceRate({ perMinute: 1 }, () => now);
    rate.take("https://issuer.example", DEV);
    now = 0;
    expect(() => rate.take("https://issuer.example", DEV)).toThrow(expect.objectContaining({ retryAfter: 60 }));
    now += 61 * SECOND;
    expect(() => rate.take("https://issuer.example", DEV)).toThrow(RateLimited);
  });

  test("of more identities than are remembered costs no more memory", () => {
    const rate = new IssuanceRate({ perHour: 1 }, () => 0);
    for (let at = 0; at < 70_000; at++) rate.take("https://issuer.example", principal(`${at}@example.com`));
    expect(() => rate.take("https://issuer.example", principal("69999@example.com"))).toThrow(RateLimited);
    rate.take("https://issuer.example", principal("0@example.com"));
  });
});

describe("an installation with rates", () => {
  let issuer: FakeIssuer;
  let fulcio: FulcioUnderTest;
  beforeAll(async () => {
    issuer = await FakeIssuer.start();
    fulcio = await startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
      rates: { perMinute: 2 },
    });
  });
  afterAll(async () => {
    await fulcio[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
  });

  test("answers 429 with Retry-After, logs nothing of it, and tells its ledger", async () => {
    const enrol = () => fulcio.enrol(issuer.token(), "dev@example.com");
    expect([(await enrol()).status, (await enrol()).status]).toEqual([200, 200]);
    const refused = await enrol();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect(refused.json()).toMatchObject({
      code: 8,
      message: expect.stringMatching(/may have 2 certificates in a minute/),
    });
    expect(fulcio.ctLog.submitted).toHaveLength(2);
    await expect.poll(() => fulcio.ledger.refused({ limit: 10 })).toMatchObject([{ code: "rate" }]);
  });

  test("does not count what an outage of the CT log kept from being issued", async () => {
    const enrol = async () =>
      (await fulcio.enrol(issuer.token({ email: "ops@example.com" }), "ops@example.com")).status;
    const { disturb } = fulcio.ctLog;
    fulcio.ctLog.disturb = () => Promise.reject(new Error("down"));
    for (let tried = 0; tried < 5; tried++) expect(await enrol()).toBeGreaterThanOrEqual(500);
    fulcio.ctLog.disturb = disturb;
    expect([await enrol(), await enrol(), await enrol()]).toEqual([200, 200, 429]);
  });
});
