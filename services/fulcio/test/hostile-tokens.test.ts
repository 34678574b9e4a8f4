import "reflect-metadata";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeIssuer, nowSeconds } from "./fake-issuer.ts";
import { type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";
import { configurationOf, GOOD_CLAIMS, hostileClaims, type Typed } from "./hostile-claims.ts";
import { startCareless, tokensOfCarelessKeys } from "./hostile-keys.ts";
import { hostileTokens } from "./hostile-tokens.ts";
import { recordOutbound } from "./outbound.ts";

/*
 * Every token must be refused, and nobody asked anything on its behalf but the issuers that are configured: what leaves
 * the process is recorded where Node hands it to the operating system.
 */

const email = "dev@example.com";
const outbound = recordOutbound();
let trapped = 0;
const trap = createServer((_request, response) => {
  trapped++;
  response.end("{}");
});
await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
const trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;

const TYPES = ["email", "username", "uri", "spiffe", "kubernetes", "github", "ci"] as const;
const started = await Promise.all(TYPES.map(async (type) => [type, await FakeIssuer.start()] as const));
const typed = Object.fromEntries(started) as Record<keyof Typed, FakeIssuer>;
const [rsa, other, careless] = await Promise.all([
  FakeIssuer.start({ algorithm: "RS256" }),
  FakeIssuer.start(),
  startCareless(),
]);
const issuers = [...Object.values(typed), rsa, other, careless];

const forgeries = Object.entries({
  ...hostileTokens({ issuer: typed.email, rsa, other, trapUrl }),
  ...tokensOfCarelessKeys(() => careless),
  ...hostileClaims(typed),
});

let fulcio: FulcioUnderTest;
let issued = 0;

beforeAll(async () => {
  const { issuers: entries, metadata } = configurationOf(typed);
  fulcio = await startFulcio({
    config: `
oidc-issuers:
${entries}
  "${rsa.url}": { client-id: sigstore, type: email }
  "${other.url}": { client-id: sigstore, type: email }
  "${careless.url}": { client-id: sigstore, type: email }
meta-issuers:
  "https://*.pattern.example.com/*": { client-id: sigstore, type: email }
${metadata}
`,
  });
});

afterAll(async () => {
  outbound[Symbol.dispose]();
  trap.close();
  await Promise.all([fulcio, ...issuers].map((part) => part?.[Symbol.asyncDispose]()));
});

async function enrol(token: string, name: string): Promise<number> {
  const { status } = await fulcio.enrol(token, name);
  if (status === 200) issued++;
  return status;
}

describe(`${forgeries.length} hostile tokens`, () => {
  test("are at least 120, and none is there twice", () => {
    expect(forgeries.length).toBeGreaterThanOrEqual(120);
    const fixed = forgeries.filter(([what]) => !what.startsWith("signed by"));
    expect(new Set(fixed.map(([, forge]) => forge)).size).toBe(fixed.length);
  });

  test("meet a world in which good tokens are taken", async () => {
    for (const issuer of [typed.email, rsa, other, careless]) expect(await enrol(issuer.token(), email)).toBe(200);
    for (const type of TYPES) {
      const { sub = "subject-of-dev" } = GOOD_CLAIMS[type];
      expect(await enrol(typed[type].token(GOOD_CLAIMS[type]), type === "email" ? email : sub), type).toBe(200);
    }
    expect(await enrol(typed.email.token({ aud: ["x", "sigstore"] }), email)).toBe(200);
    const early = { nbf: nowSeconds() + 200, iat: nowSeconds() + 200, exp: nowSeconds() + 500.5 };
    expect(await enrol(typed.email.token(early), email)).toBe(200);
    const template = typed.ci.token({ ...GOOD_CLAIMS.ci, ref: '{{ .iss }}{{if eq "a" "a"}}x{{end}}' });
    expect(await enrol(template, "subject-of-dev"), "braces are text").toBe(200);
  });

  test.for(forgeries)("%s: no certificate, and nothing told", async ([, forge]) => {
    const token = forge();
    const answer = await fulcio.enrol(token, email);
    expect([400, 413]).toContain(answer.status);
    expect([3, 8]).toContain(answer.json().code);
    expect(answer.told()).toMatch(/^(There was an error processing the identity token: |request body: )/);
    for (const part of token.split(".").filter((text) => text.length > 8)) expect(answer.body).not.toContain(part);
    expect(answer.body).not.toContain(email);
    expect(answer.body).not.toContain("CERTIFICATE");
  });

  test("made no certificate, and asked only configured issuers, for their two documents", () => {
    expect(fulcio.ctLog.submitted).toHaveLength(issued);
    expect(trapped).toBe(0);
    const configured = new Set(issuers.map(({ url }) => url.slice("http://".length)));
    const tried = outbound.tried();
    expect(tried.filter((where) => !configured.has(where))).toEqual([]);
    // That nothing else was tried says something only if what was tried is all there.
    expect(tried).toHaveLength(issuers.reduce((sum, { requests }) => sum + requests.length, 0));
    for (const { requests } of issuers) {
      expect(new Set(requests)).toEqual(new Set(["/.well-known/openid-configuration", "/keys"]));
    }
  });
});
