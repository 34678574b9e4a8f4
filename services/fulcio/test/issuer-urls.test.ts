import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { IssuerPool } from "../src/domain/issuer-pool.ts";
import { CurrentIssuers, parseFulcioConfig } from "../src/index.ts";
import { createSigningKey, FakeIssuer } from "./fake-issuer.ts";
import { startFulcio } from "./fulcio-under-test.ts";

/*
 * Upstream asks every issuer that its file names by whatever its HTTP client takes (pkg/config/config.go has no rule for
 * the URL but for those of uri and username): plain http and addresses in place of names too.
 */

const DISCOVERY = "/.well-known/openid-configuration";
const email = "dev@example.com";
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === "IPv6"));

/** Its own URL is on 127.0.0.1; to be known by another that leads there. */
function knownAs(issuer: FakeIssuer, host: string): string {
  const url = issuer.url.replace("127.0.0.1", host);
  issuer.answers.set(DISCOVERY, (_request, response) =>
    response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` })),
  );
  return url;
}

const configuration = (...urls: readonly string[]) =>
  JSON.stringify({
    "oidc-issuers": Object.fromEntries(urls.map((url) => [url, { "client-id": "sigstore", type: "email" }])),
  });

describe("an issuer's URL", () => {
  test.for([
    "http://dex.auth.svc.cluster.local:5556/dex",
    "https://[2001:db8::1]",
    "https://[2001:DB8::1]:8443/realms/people",
    "https://[::ffff:192.0.2.1]/a",
    "http://192.0.2.1:8080",
  ])("%s is taken from upstream's file, as YAML and as legacy JSON", (url) => {
    const legacy = JSON.stringify({ OIDCIssuers: { [url]: { IssuerURL: url, ClientID: "sigstore", Type: "email" } } });
    for (const text of [configuration(url), legacy]) {
      expect(new IssuerPool(parseFulcioConfig(text).issuers).match(url).url).toBe(url);
    }
  });

  test("may be a pattern of http, or of an address", () => {
    const { issuers } = parseFulcioConfig(`
meta-issuers:
  http://*.clusters.example.com/*: { client-id: a, type: kubernetes }
  https://[2001:db8::1]:8443/id/*: { client-id: b, type: kubernetes }
`);
    const pool = new IssuerPool(issuers);
    expect(pool.match("http://eu.clusters.example.com/x").settings.clientId).toBe("a");
    expect(pool.match("https://[2001:db8::1]:8443/id/x").settings.clientId).toBe("b");
    for (const other of ["https://eu.clusters.example.com/x", "https://[2001:db8::2]:8443/id/x"]) {
      expect(() => pool.match(other)).toThrow("not configured");
    }
  });

  test.runIf(hasIpv6)("of http and an IPv6 address (where there is IPv6): its tokens get certificates", async () => {
    await using issuer = await FakeIssuer.start();
    const iss = knownAs(issuer, "[::ffff:127.0.0.1]");
    await using fulcio = await startFulcio({ config: configuration(iss) });
    expect((await fulcio.enrol(issuer.token({ iss }), email)).status).toBe(200);
  });
});

describe("an issuer that is named by http", () => {
  test("gets certificates for its tokens, and the operator a warning, at the start and at each change", async () => {
    await using issuer = await FakeIssuer.start();
    await using local = await FakeIssuer.start();
    const iss = knownAs(issuer, "0.0.0.0");
    const warnings: string[] = [];
    const config = configuration(iss, local.url, "https://other.example.com");
    await using fulcio = await startFulcio({ config, warn: (text) => warnings.push(text) });
    expect(warnings).toEqual([expect.stringContaining(`oidc-issuers.${iss}: its keys are fetched without TLS`)]);
    expect((await fulcio.enrol(issuer.token({ iss }), email)).status).toBe(200);
    fulcio.service.app.get(CurrentIssuers).replace(parseFulcioConfig(config).issuers);
    expect(warnings).toHaveLength(2);
  });

  test("whose keys are written down is asked nothing, and there is nothing to warn of", () => {
    const { issuers } = parseFulcioConfig(
      `oidc-issuers: { "http://a.example.com": { client-id: a, type: email, jwks: '${JSON.stringify({ keys: [createSigningKey().jwk] })}' } }`,
    );
    const warnings: string[] = [];
    void new CurrentIssuers(issuers, undefined as never, (text) => warnings.push(text));
    expect(warnings).toEqual([]);
  });

  test("is followed to TLS on its own host, and nowhere else", async () => {
    await using issuer = await FakeIssuer.start();
    await using stranger = await FakeIssuer.start();
    const iss = knownAs(issuer, "0.0.0.0");
    const warnings: string[] = [];
    let now = Date.now();
    await using fulcio = await startFulcio({
      config: configuration(iss),
      warn: (text) => warnings.push(text),
      clock: () => now,
    });
    for (const [location, failure] of [
      [issuer.url.replace("http:", "https:").replace("127.0.0.1", "0.0.0.0"), /SSL|TLS|wrong version|EPROTO/i],
      [stranger.url.replace("127.0.0.1", "0.0.0.0"), /redirects to another host/],
    ] as const) {
      issuer.answers.set(DISCOVERY, (_request, response) => response.writeHead(301, { Location: location }).end());
      now += 10_000;
      expect((await fulcio.enrol(issuer.token({ iss }), email)).status).toBe(503);
      expect(warnings.at(-1)).toMatch(failure);
    }
    expect(stranger.requests).toEqual([]);
  });

  test("may not have its keys by http on a host that is not its own", async () => {
    await using issuer = await FakeIssuer.start();
    const iss = issuer.url.replace("127.0.0.1", "0.0.0.0");
    issuer.answers.set(DISCOVERY, (_request, response) =>
      response.end(JSON.stringify({ issuer: iss, jwks_uri: "http://keys.example.com/keys" })),
    );
    const warnings: string[] = [];
    await using fulcio = await startFulcio({ config: configuration(iss), warn: (text) => warnings.push(text) });
    expect((await fulcio.enrol(issuer.token({ iss }), email)).status).toBe(503);
    expect(warnings.at(-1)).toContain("jwks_uri is not https");
  });
});
