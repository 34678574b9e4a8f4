import "reflect-metadata";
import { createPublicKey } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSigningKey, encode, FakeIssuer, hmacJws, jws, nowSeconds, type SigningKey } from "./fake-issuer.ts";
import { type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";

/**
 * Each token must be refused, and nobody asked anything on its behalf: `trap` is a server that no
 * configuration names, and counts.
 */
let issuer: FakeIssuer;
let rsa: FakeIssuer;
let other: FakeIssuer;
let fulcio: FulcioUnderTest;
let trapUrl: string;
let trapped = 0;
const trap = createServer((_request, response) => {
  trapped++;
  response.end("{}");
});

beforeAll(async () => {
  await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
  trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
  issuer = await FakeIssuer.start();
  rsa = await FakeIssuer.start({ algorithm: "RS256" });
  other = await FakeIssuer.start();
  fulcio = await startFulcio({
    config: `
oidc-issuers:
  "${issuer.url}": { client-id: sigstore, type: email }
  "${rsa.url}": { client-id: sigstore, type: email }
  "${other.url}": { client-id: sigstore, type: email }
meta-issuers:
  "https://*.pattern.example.com/*": { client-id: sigstore, type: email }
`,
  });
});

afterAll(async () => {
  trap.close();
  await Promise.all([fulcio, issuer, rsa, other].map((part) => part?.[Symbol.asyncDispose]()));
});

const key = () => issuer.keys[0]!;
const header = (extra: object = {}) => ({ alg: "ES256", kid: key().kid, ...extra });
const tokenOf = (claims: object) => () => issuer.token(claims as Record<string, unknown>);
const withHeader = (extra: object) => () => jws(header(extra), issuer.claims(), key());
const without = (name: string) => () => issuer.token({ [name]: undefined });
const rsaPem = () => createPublicKey(rsa.keys[0]!.privateKey).export({ type: "spki", format: "pem" });
const rsaHeader = (alg: string) => ({ alg, kid: rsa.keys[0]!.kid });
const stranger = createSigningKey("ES256", "stranger");
const signedBy = (signer: SigningKey, extra: object = {}) =>
  jws({ alg: signer.algorithm, kid: key().kid, ...extra }, issuer.claims(), signer);
const fromIssuer = (iss: string) => () => jws(header(), issuer.claims({ iss }), key());
const edited = (edit: (parts: string[]) => string) => () => edit(issuer.token().split("."));
const deep = (depth: number) => `{"iss":${JSON.stringify("x")},"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;

const hostile: Record<string, () => string> = {
  // A1
  "alg none with no signature": () => `${encode({ alg: "none" })}.${encode(issuer.claims())}.`,
  "alg none with a signature": withHeader({ alg: "none" }),
  "alg NoNe": withHeader({ alg: "NoNe" }),
  "alg empty": withHeader({ alg: "" }),
  "no alg": withHeader({ alg: undefined }),
  "alg a list": withHeader({ alg: ["ES256"] }),
  "alg null": withHeader({ alg: null }),
  "alg in lower case": withHeader({ alg: "es256" }),
  // A2
  "HMAC with the public key's PEM": () => hmacJws(rsaHeader("HS256"), rsa.claims(), rsaPem()),
  "HMAC with the public key's DER": () =>
    hmacJws(
      rsaHeader("HS256"),
      rsa.claims(),
      createPublicKey(rsa.keys[0]!.privateKey).export({ type: "spki", format: "der" }),
    ),
  "HMAC with the JWK": () => hmacJws(rsaHeader("HS256"), rsa.claims(), JSON.stringify(rsa.keys[0]!.jwk)),
  "HMAC said to be RSA": () => hmacJws(rsaHeader("RS256"), rsa.claims(), rsaPem()),
  "RSA said to be ECDSA": () => jws(rsaHeader("ES256"), rsa.claims(), rsa.keys[0]!, "RS256"),
  "ECDSA said to be RSA": withHeader({ alg: "RS256" }),
  "RS256 said to be PS256": () => jws(rsaHeader("PS256"), rsa.claims(), rsa.keys[0]!, "RS256"),
  "ES256 said to be ES384": withHeader({ alg: "ES384" }),
  "said to be EdDSA": withHeader({ alg: "EdDSA" }),
  "said to be ES256K": withHeader({ alg: "ES256K" }),
  // A3
  "kid a path": () => signedBy(stranger, { kid: "../../../../dev/null" }),
  "kid SQL": () => signedBy(stranger, { kid: "' OR 1=1 --" }),
  "kid a URL": () => signedBy(stranger, { kid: `${trapUrl}/keys` }),
  "kid __proto__": () => signedBy(stranger, { kid: "__proto__" }),
  "kid of 2 kB": withHeader({ kid: "k".repeat(2_000) }),
  "kid a number": withHeader({ kid: 1 }),
  "kid an object": withHeader({ kid: { a: 1 } }),
  "jku to a stranger's keys": () => signedBy(stranger, { jku: `${trapUrl}/keys` }),
  "x5u to a stranger's certificate": () => signedBy(stranger, { x5u: `${trapUrl}/cert` }),
  "its own key in jwk": () => signedBy(stranger, { jwk: stranger.jwk }),
  "its own certificate in x5c": () => signedBy(stranger, { x5c: ["MIIB"] }),
  "an unknown critical header": withHeader({ crit: ["exp"], exp: 1 }),
  "an empty crit": withHeader({ crit: [] }),
  // A4
  "b64 false": withHeader({ b64: false, crit: ["b64"] }),
  "b64 false, not critical": withHeader({ b64: false }),
  compressed: withHeader({ zip: "DEF" }),
  "a JWE of five parts": () => "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA",
  "a JWE header on a JWS": withHeader({ enc: "A128GCM" }),
  "a token in a token": () => jws(header({ cty: "JWT" }), issuer.token(), key()),
  "JSON serialization": edited(([protectedHeader, payload, signature]) =>
    JSON.stringify({ payload, signatures: [{ protected: protectedHeader, signature }] }),
  ),
  padding: edited(([a, b, c]) => `${a}=.${b}.${c}`),
  "a space": edited(([a, b, c]) => `${a}. ${b}.${c}`),
  "a line break at the end": edited((parts) => `${parts.join(".")}\n`),
  "standard base64": edited(([a, b, c]) => `${a}.${b}.${c!.slice(0, -2)}+/`),
  "two parts": edited(([a, b]) => `${a}.${b}`),
  "four parts": edited((parts) => `${parts.join(".")}.AAAA`),
  "an empty signature": edited(([a, b]) => `${a}.${b}.`),
  "trailing bits in the signature": edited(([a, b, c]) => `${a}.${b}.${c!.slice(0, -1)}${nextLetter(c!)}`),
  "a DER signature": edited(([a, b]) => `${a}.${b}.MEUCIQDx`),
  "an all-zero signature": edited(([a, b]) => `${a}.${b}.${Buffer.alloc(64).toString("base64url")}`),
  "a changed payload": edited(([a, , c]) => `${a}.${encode(issuer.claims({ email: "root@example.com" }))}.${c}`),
  "another token's signature": () => {
    const [a, b] = issuer.token().split(".");
    return `${a}.${b}.${issuer.token({ email: "x@example.com" }).split(".")[2]}`;
  },
  // A5
  "an unconfigured issuer": () => jws(header(), issuer.claims({ iss: trapUrl }), key()),
  "issuer with a slash more": fromIssuer("@/"),
  "issuer behind a user": fromIssuer("http://127.0.0.1@trap"),
  "issuer matched in the middle": fromIssuer("?https://t.pattern.example.com/x"),
  "issuer with a query": fromIssuer("https://t.pattern.example.com/x?y"),
  "issuer with a backslash": fromIssuer("https://evil.example\\.pattern.example.com/x"),
  "issuer with a line break": fromIssuer("https://t.pattern.example.com/x\n"),
  "issuer a list": () => jws(header(), issuer.claims({ iss: [issuer.url] }), key()),
  "issuer an object": () => jws(header(), issuer.claims({ iss: { url: issuer.url } }), key()),
  "issuer of 1 kB": fromIssuer(`https://t.pattern.example.com/${"x".repeat(1_000)}`),
  "no issuer": without("iss"),
  // A6
  "another configured issuer's key": () =>
    jws({ alg: "ES256", kid: other.keys[0]!.kid }, issuer.claims(), other.keys[0]!),
  "another issuer's key under this one's kid": () => jws(header(), issuer.claims(), other.keys[0]!),
  "this issuer's key for another's token": () => jws(header(), issuer.claims({ iss: other.url }), key()),
  // A7
  "a million dots": () => ".".repeat(60_000),
  "33 KiB of payload": () => issuer.token({ pad: "x".repeat(33_000) }),
  "deep nesting": () => jws(header(), deep(5_000), key()),
  // A8
  "no audience": without("aud"),
  "audience of another": tokenOf({ aud: "other" }),
  "audience in upper case": tokenOf({ aud: "SIGSTORE" }),
  "audience with more": tokenOf({ aud: "sigstore2" }),
  "audience with a space": tokenOf({ aud: "sigstore " }),
  "audience a number": tokenOf({ aud: 1 }),
  "audience an object": tokenOf({ aud: { sigstore: true } }),
  "audience nested": tokenOf({ aud: [["sigstore"]] }),
  "audience with a stranger in its list": tokenOf({ aud: ["sigstore", 1] }),
  "audience an empty list": tokenOf({ aud: [] }),
  "audience null": tokenOf({ aud: null }),
  // A9
  expired: tokenOf({ exp: nowSeconds() - 1 }),
  "no expiry": without("exp"),
  "expiry a text": tokenOf({ exp: String(nowSeconds() + 600) }),
  "expiry without end": () =>
    jws(header(), JSON.stringify(issuer.claims({ exp: 0 })).replace('"exp":0', '"exp":1e308'), key()),
  "expiry overflowing": () =>
    jws(header(), JSON.stringify(issuer.claims({ exp: 0 })).replace('"exp":0', '"exp":1e309'), key()),
  "expiry null": tokenOf({ exp: null }),
  "expiry negative": tokenOf({ exp: -1 }),
  "expiry in milliseconds": tokenOf({ exp: Date.now() + 600_000 }),
  "valid for two days": tokenOf({ exp: nowSeconds() + 172_800 }),
  "valid from tomorrow": tokenOf({ nbf: nowSeconds() + 86_000, exp: nowSeconds() + 86_300 }),
  "not before as text": tokenOf({ nbf: "0" }),
  "issued tomorrow": tokenOf({ iat: nowSeconds() + 86_000, exp: nowSeconds() + 86_300 }),
  // A10, A20
  "no email": without("email"),
  "an email with a NUL": tokenOf({ email: "a@example.com\u0000b" }),
  "no subject": without("sub"),
  "an empty subject": tokenOf({ sub: "" }),
  "subject a number": tokenOf({ sub: 1 }),
  "a claim twice": () =>
    jws(header(), JSON.stringify(issuer.claims()).replace("{", '{"email":"root@example.com",'), key()),
  "a payload that is a list": () => jws(header(), "[]", key()),
  "a payload that is null": () => jws(header(), "null", key()),
  "a payload with a byte order mark": () => jws(header(), `\ufeff${JSON.stringify(issuer.claims())}`, key()),
  "a payload with a lone surrogate": () =>
    jws(header(), JSON.stringify(issuer.claims({ x: "@" })).replace("@", String.raw`\ud800`), key()),
  "a payload with text after it": () => jws(header(), `${JSON.stringify(issuer.claims())} {}`, key()),
  "a header with a member twice": () => jws('{"alg":"none","alg":"ES256"}', issuer.claims(), key()),
  nothing: () => " ",
};

function nextLetter(text: string): string {
  // 64 bytes leave four unused bits in the last letter: the next one decodes to the same bytes.
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[alphabet.indexOf(text.at(-1)!) + 1]!;
}

describe("hostile tokens", () => {
  test("there are more than a hundred", () => {
    expect(Object.keys(hostile).length).toBeGreaterThan(100);
  });

  test("the world they meet is one in which good tokens are taken", async () => {
    for (const good of [issuer.token(), rsa.token(), other.token(), issuer.token({ aud: ["x", "sigstore"] })]) {
      expect((await fulcio.enrol(good, "dev@example.com")).status).toBe(200);
    }
    const early = issuer.token({ nbf: nowSeconds() + 200, iat: nowSeconds() + 200, exp: nowSeconds() + 500.5 });
    expect((await fulcio.enrol(early, "dev@example.com")).status).toBe(200);
  });

  test.for(Object.entries(hostile))("%s gets nothing, quickly, and tells nothing", async ([, forge]) => {
    const token = forge();
    const started = performance.now();
    const answer = await fulcio.enrol(token, "dev@example.com");
    expect(performance.now() - started).toBeLessThan(250);
    expect([400, 413]).toContain(answer.status);
    expect([3, 8]).toContain(answer.json().code);
    expect(answer.told()).toMatch(/^(There was an error processing the identity token: |request body: )/);
    for (const part of token.split(".").filter((text) => text.length > 8)) expect(answer.body).not.toContain(part);
    expect(answer.body).not.toContain("dev@example.com");
    expect(answer.body).not.toContain("CERTIFICATE");
  });

  test("no certificate was made for any of them, and nobody was asked who is not configured", () => {
    expect(fulcio.ctLog.submitted).toHaveLength(5);
    expect(trapped).toBe(0);
    for (const asked of [issuer, rsa, other]) {
      expect(new Set(asked.requests)).toEqual(new Set(["/.well-known/openid-configuration", "/keys"]));
      expect(asked.count("/keys")).toBe(1);
    }
  });
});
