import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CurrentIssuers, parseFulcioConfig } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";

let one: FakeIssuer;
let two: FakeIssuer;
let fulcio: FulcioUnderTest;

beforeAll(async () => {
  [one, two] = [await FakeIssuer.start(), await FakeIssuer.start()];
  fulcio = await startFulcio({ config: config(one) });
});
afterAll(async () => {
  await Promise.all([fulcio, one, two].map((part) => part?.[Symbol.asyncDispose]()));
});

function config(...issuers: readonly FakeIssuer[]): string {
  return JSON.stringify({
    "oidc-issuers": Object.fromEntries(issuers.map(({ url }) => [url, { "client-id": "sigstore", type: "email" }])),
  });
}

const replace = (text: string) => fulcio.service.app.get(CurrentIssuers).replace(parseFulcioConfig(text).issuers);
const enrol = async (issuer: FakeIssuer) => (await fulcio.enrol(issuer.token(), "dev@example.com")).status;
const listed = async () =>
  ((await fulcio.request("/api/v2/configuration")).json().issuers as { issuerUrl: string }[]).map(
    (row) => row.issuerUrl,
  );

describe("issuers that are replaced", () => {
  test("are those that vouch and that clients are shown, from the next request on", async () => {
    expect([await enrol(one), await enrol(two)]).toEqual([200, 400]);
    replace(config(one, two));
    expect([await enrol(one), await enrol(two)]).toEqual([200, 200]);
    expect(await listed()).toEqual([one.url, two.url]);
    replace(config(two));
    expect([await enrol(one), await enrol(two)]).toEqual([400, 200]);
    expect(await listed()).toEqual([two.url]);
  });

  test("keep their keys, unless they are reached otherwise now", async () => {
    replace(config(two));
    await enrol(two);
    const before = two.count("/keys");
    replace(config(one, two));
    replace(config(two).replace("sigstore", "other"));
    replace(config(two));
    expect(await enrol(two)).toBe(200);
    expect(two.count("/keys")).toBe(before);
    const elsewhere = JSON.stringify({
      "oidc-issuers": { [two.url]: { "client-id": "sigstore", type: "email", "jwks-uri": `${two.url}/keys` } },
    });
    replace(elsewhere);
    expect(await enrol(two)).toBe(200);
    expect(two.count("/keys")).toBe(before + 1);
  });

  test("are known for what they were, so that no certificate of one that named who vouched looks like a changed row", () => {
    const federating = { "client-id": "sigstore", type: "email", "issuer-claim": "$.federated_claims.connector_id" };
    const tenants = { "https://*.dex.example.com": federating };
    replace(JSON.stringify({ "oidc-issuers": { "https://dex.example.com": federating }, "meta-issuers": tenants }));
    const { isFederated } = fulcio.service.app.get(CurrentIssuers);
    const named = ["https://dex.example.com", "https://a.dex.example.com", "https://a.b.dex.example.com", one.url];
    expect(named.map((issuer) => isFederated(issuer))).toEqual([true, true, false, false]);
    replace(config(one));
    expect(named.map((issuer) => isFederated(issuer))).toEqual([true, true, false, false]);
  });

  test("stay the old ones, whole, if one of the new cannot do its work", async () => {
    replace(config(two));
    const current = fulcio.service.app.get(CurrentIssuers);
    const [issuer] = parseFulcioConfig(config(one)).issuers;
    expect(() => current.replace([{ ...issuer!, clientId: "" }])).toThrow("client-id: is missing");
    expect([await enrol(one), await enrol(two)]).toEqual([400, 200]);
  });

  test("do not touch a request that is under way", async () => {
    replace(config(one));
    const { promise: mayAnswer, resolve: answerKeys } = Promise.withResolvers<void>();
    one.answers.set("/.well-known/openid-configuration", (_request, response) => {
      void mayAnswer.then(() => response.end(JSON.stringify({ issuer: one.url, jwks_uri: `${one.url}/keys` })));
    });
    replace(config(two));
    replace(config(one));
    const underWay = enrol(one);
    await expect.poll(() => one.count("openid-configuration")).toBeGreaterThan(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    replace(config(two));
    answerKeys();
    expect(await underWay).toBe(200);
    expect(await enrol(one)).toBe(400);
    one.answers.clear();
  });

  test("are replaced a thousand times under load without one refusal", async () => {
    const both = [parseFulcioConfig(config(one, two)).issuers, parseFulcioConfig(config(two, one)).issuers];
    replace(config(one, two));
    const statuses: number[] = [];
    const done = new AbortController();
    const clients = Array.from({ length: 8 }, async () => {
      while (!done.signal.aborted) statuses.push(await enrol(two));
    });
    for (let turn = 0; turn < 1_000; turn++) {
      fulcio.service.app.get(CurrentIssuers).replace(both[turn % 2]!);
      if (turn % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    done.abort();
    await Promise.all(clients);
    expect(statuses.length).toBeGreaterThan(20);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});
