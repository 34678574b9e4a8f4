import "reflect-metadata";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseFulcioConfig } from "../src/index.ts";
import { createSigningKey, FakeIssuer, jws, type SigningKey } from "./fake-issuer.ts";
import { type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";

const email = "dev@example.com";
const folder = mkdtempSync(join(tmpdir(), "closed-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Written beside and moved over, as Kubernetes and careful scripts do. */
function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
  return path;
}

const jwks = (...keys: SigningKey[]) => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
const tokenBy = (key: SigningKey, issuer: FakeIssuer, claims: object = {}) =>
  jws({ alg: key.algorithm, kid: key.kid }, issuer.claims(claims as Record<string, unknown>), key);
const status = async (fulcio: FulcioUnderTest, token: string) => (await fulcio.enrol(token, email)).status;

/** Answers nothing right: an issuer whose keys are written down must never be asked. */
async function silentIssuer(): Promise<FakeIssuer> {
  const issuer = await FakeIssuer.start();
  issuer.keys = [];
  return issuer;
}

describe("an issuer whose keys are written down", () => {
  test("in the configuration, as YAML or as text, is never asked", async () => {
    const key = createSigningKey();
    await using issuer = await silentIssuer();
    const yaml = Object.entries(key.jwk).map(([name, value]) => `${name}: "${String(value)}"`);
    for (const written of [`jwks: { keys: [{ ${yaml.join(", ")} }] }`, `jwks: '${jwks(key)}'`]) {
      await using fulcio = await startFulcio({
        config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email, ${written} } }`,
      });
      expect(await status(fulcio, tokenBy(key, issuer))).toBe(200);
      expect(await status(fulcio, tokenBy(createSigningKey("ES256", key.kid), issuer))).toBe(400);
    }
    expect(issuer.requests).toEqual([]);
  });

  test("may have a URL that nobody could ask: plain http in the company's network", async () => {
    const key = createSigningKey("RS256");
    await using issuer = await silentIssuer();
    const iss = "http://jenkins.intra.example.com/oidc";
    await using fulcio = await startFulcio({
      config: `oidc-issuers: { "${iss}": { client-id: sigstore, type: email, jwks: '${jwks(key)}' } }`,
    });
    expect(await status(fulcio, tokenBy(key, issuer, { iss }))).toBe(200);
  });

  test("in a file: a new one is taken up without a restart, a bad one is refused and the old one kept", async () => {
    const [first, second] = [createSigningKey(), createSigningKey()];
    await using issuer = await silentIssuer();
    const file = write("keys.json", jwks(first));
    let now = Date.now();
    const warnings: string[] = [];
    await using fulcio = await startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email, jwks-file: "${file}" } }`,
      clock: () => now,
      warn: (text) => warnings.push(text),
    });
    expect(await status(fulcio, tokenBy(first, issuer))).toBe(200);

    write("keys.json", jwks(second));
    now += 1_000;
    expect(await status(fulcio, tokenBy(second, issuer))).toBe(200);
    expect(await status(fulcio, tokenBy(first, issuer)), "withdrawn").toBe(400);

    for (const bad of ["", "{", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AAAA"}]}', "x".repeat(2 << 20)]) {
      write("keys.json", bad);
      now += 2 * 3_600_000;
      const token = tokenBy(second, issuer, { iat: now / 1000, nbf: now / 1000, exp: now / 1000 + 600 });
      expect(await status(fulcio, token)).toBe(200);
    }
    rmSync(file);
    now += 1_000;
    const late = { iat: now / 1000, nbf: now / 1000, exp: now / 1000 + 600 };
    expect(await status(fulcio, tokenBy(second, issuer, late))).toBe(200);
    expect(warnings.length).toBeGreaterThanOrEqual(3);
    expect(warnings[0]).toMatch(/^the keys of http:.* cannot be renewed: JWK set.*; those known before stay in use$/);
    expect(warnings.join()).toContain("keys.json cannot be read");

    write("keys.json", jwks(first));
    now += 1_000;
    expect(await status(fulcio, tokenBy(first, issuer, late)), "found by its first token").toBe(200);
    expect(issuer.requests).toEqual([]);
  });

  test("in a SPIFFE trust bundle, as spire-server writes one: JWT-SVIDs are taken, and X.509 keys sign none", async () => {
    const [svids, x509] = [createSigningKey(), createSigningKey()];
    await using issuer = await silentIssuer();
    const bundle = {
      spiffe_sequence: 3,
      spiffe_refresh_hint: 300,
      keys: [
        { ...x509.jwk, kid: undefined, use: "x509-svid", x5c: ["MIIB"] },
        { ...svids.jwk, use: "jwt-svid" },
      ],
    };
    const file = write("bundle.json", JSON.stringify(bundle));
    await using fulcio = await startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: spiffe, spiffe-trust-domain: example.com, jwks-file: "${file}" } }`,
    });
    const sub = "spiffe://example.com/ns/build/sa/signer";
    expect((await fulcio.enrol(tokenBy(svids, issuer, { sub, aud: ["sigstore"] }), sub)).status).toBe(200);
    expect((await fulcio.enrol(tokenBy(x509, issuer, { sub }), sub)).status).toBe(400);
  });

  test("at a URL without discovery: that URL is asked and nothing else", async () => {
    await using issuer = await FakeIssuer.start();
    await using elsewhere = await FakeIssuer.start();
    elsewhere.keys = issuer.keys;
    const uri = `${elsewhere.url}/keys`;
    await using fulcio = await startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email, jwks-uri: "${uri}" } }`,
    });
    expect(await status(fulcio, issuer.token())).toBe(200);
    expect([issuer.requests, elsewhere.requests]).toEqual([[], ["/keys"]]);
  });
});

/** A server that takes nobody without a certificate of its authority, and remembers who came. */
async function guardedIssuer(authority: Identity, server: Identity) {
  const seen: { subject: string | undefined; authorization: string | undefined; path: string | undefined }[] = [];
  const key = createSigningKey();
  let jwksUri = "";
  const https = createServer(
    { key: server.key, cert: server.cert, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
    (request: IncomingMessage, response) => {
      const socket = request.socket as TLSSocket;
      seen.push({
        subject: socket.authorized ? (socket.getPeerCertificate().subject.CN as string) : undefined,
        authorization: request.headers.authorization,
        path: request.url,
      });
      const discovery = { issuer: url, jwks_uri: jwksUri === "" ? `${url}/keys` : jwksUri };
      response.end(JSON.stringify(request.url === "/keys" ? { keys: [key.jwk] } : discovery));
    },
  );
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(https.address() as AddressInfo).port}`;
  return {
    url,
    seen,
    key,
    keysAt: (uri: string) => (jwksUri = uri),
    async [Symbol.asyncDispose]() {
      https.closeAllConnections();
      await new Promise((resolve) => https.close(resolve));
    },
  };
}

interface Identity {
  readonly key: string;
  readonly cert: string;
}

describe("an issuer behind a private authority", () => {
  let [authority, server, client]: Identity[] = [];
  let [ca, cert, privateKey, token]: string[] = [];

  beforeAll(async () => {
    const root = await selfSigned("CN=root");
    authority = root.identity;
    server = await issued("CN=server", root);
    client = await issued("CN=chancery", root);
    ca = write("ca.pem", `# the company's\n${authority.cert}`);
    cert = write("client.pem", client.cert);
    privateKey = write("client-key.pem", client.key);
    token = write("token", "secret-of-the-service-account\n");
  });

  test("that wants to know who asks is shown the certificate and the token", async () => {
    await using issuer = await guardedIssuer(authority!, server!);
    const entry = `client-id: sigstore, type: email, ca-cert-file: "${ca}", client-cert-file: "${cert}", client-key-file: "${privateKey}", token-file: "${token}"`;
    await using fulcio = await startFulcio({ config: `oidc-issuers: { "${issuer.url}": { ${entry} } }` });
    const good = jws({ alg: "ES256", kid: issuer.key.kid }, claimsOf(issuer.url), issuer.key);
    expect(await status(fulcio, good)).toBe(200);
    const shown = { subject: "chancery", authorization: "Bearer secret-of-the-service-account" };
    expect(issuer.seen).toEqual([
      { ...shown, path: "/.well-known/openid-configuration" },
      { ...shown, path: "/keys" },
    ]);
  });

  test("is asked under that authority only: without it there are no keys", async () => {
    await using issuer = await guardedIssuer(authority!, server!);
    const warnings: string[] = [];
    await using fulcio = await startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
      warn: (text) => warnings.push(text),
    });
    const good = jws({ alg: "ES256", kid: issuer.key.kid }, claimsOf(issuer.url), issuer.key);
    expect(await status(fulcio, good)).toBe(503);
    expect(warnings.join()).toMatch(/unable to verify|self-signed/);
    expect(issuer.seen).toEqual([]);
  });

  test("CVE-2026-49478: who keeps the keys by the issuer's own word sees neither certificate nor token", async () => {
    await using issuer = await guardedIssuer(authority!, server!);
    await using stranger = await guardedIssuer(authority!, server!);
    issuer.keysAt(`${stranger.url}/keys`);
    const entry = `client-id: sigstore, type: email, ca-cert-file: "${ca}", client-cert-file: "${cert}", client-key-file: "${privateKey}", token-file: "${token}"`;
    await using fulcio = await startFulcio({ config: `oidc-issuers: { "${issuer.url}": { ${entry} } }` });
    const good = jws({ alg: "ES256", kid: stranger.key.kid }, claimsOf(issuer.url), stranger.key);
    expect(await status(fulcio, good)).toBe(200);
    expect(stranger.seen).toEqual([{ subject: undefined, authorization: undefined, path: "/keys" }]);
  });

  test("a renewed certificate and token are used for the next request", async () => {
    await using issuer = await guardedIssuer(authority!, server!);
    let now = Date.now();
    const entry = `client-id: sigstore, type: email, ca-cert-file: "${ca}", token-file: "${token}"`;
    await using fulcio = await startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { ${entry} } }`,
      clock: () => now,
    });
    const good = jws({ alg: "ES256", kid: issuer.key.kid }, claimsOf(issuer.url), issuer.key);
    expect(await status(fulcio, good)).toBe(200);
    write("token", "renewed");
    now += 10_000;
    const other = createSigningKey();
    await fulcio.enrol(jws({ alg: "ES256", kid: other.kid }, claimsOf(issuer.url), other), email);
    expect(issuer.seen.at(-1)!.authorization).toBe("Bearer renewed");
  });

  const refused: Readonly<Record<string, [entry: () => string, key: string, reason: RegExp]>> = {
    "a JWKS file that is not there": [() => `jwks-file: ${folder}/nowhere`, "jwks-file", /cannot be read \(ENOENT\)/],
    "a JWKS file that is a folder": [() => `jwks-file: ${folder}`, "jwks-file", /is not a file/],
    "a JWKS file of something else": [() => `jwks-file: ${ca}`, "jwks-file", /JWK set/],
    "a JWKS without a key": [() => `jwks: '{"keys":[]}'`, "jwks", /no key that verifies/],
    "a JWKS with a secret only": [() => `jwks: '{"keys":[{"kty":"oct","k":"AAAA"}]}'`, "jwks", /no key that/],
    "keys in two places": [() => `jwks-file: ${ca}, jwks-uri: https://a.example.com`, "jwks-uri", /jwks-file says/],
    "keys over plain http": [() => `jwks-uri: http://a.example.com/keys`, "jwks-uri", /must be https/],
    "keys at no URL": [() => `jwks-uri: keys`, "jwks-uri", /is not a URL/],
    "a user in the keys' URL": [() => `jwks-uri: https://a@b.example.com/keys`, "jwks-uri", /user/],
    "an authority that is none": [() => `ca-cert-file: ${token}`, "ca-cert-file", /not PEM of certificates/],
    "a certificate without its key": [() => `client-cert-file: ${cert}`, "client-key-file", /missing/],
    "a key without its certificate": [() => `client-key-file: ${privateKey}`, "client-cert-file", /missing/],
    "another certificate's key": [
      () => `client-cert-file: ${ca}, client-key-file: ${privateKey}`,
      "client-key-file",
      /is not the PEM of the certificate's private key/,
    ],
    "an empty token": [() => `token-file: ${write("empty", "")}`, "token-file", /is empty/],
    "keys that are kept for ever": [() => `keep-keys-for: 9999h`, "keep-keys-for", /from 10m to 168h/],
    "keys that are kept for no time": [() => `keep-keys-for: 1s`, "keep-keys-for", /from 10m/],
    "a time without a unit": [() => `keep-keys-for: "3600"`, "keep-keys-for", /not a duration/],
  };

  test.for(Object.entries(refused))("%s: refused at start, with the key", ([, [entry, key, reason]]) => {
    const url = "https://issuer.example.com";
    const config = `oidc-issuers: { "${url}": { client-id: sigstore, type: email, ${entry()} } }`;
    expect(() => parseFulcioConfig(config)).toThrow(
      expect.objectContaining({
        code: "misconfigured",
        key: `oidc-issuers.${url}.${key}`,
        message: expect.stringMatching(reason),
      }),
    );
  });

  test.for(["jwks: x", "jwks-file: x", "jwks-uri: x", "client-cert-file: x", "client-key-file: x", "token-file: x"])(
    "behind a pattern there is no %s: whoever controls one tenant would profit",
    (entry) => {
      const config = `meta-issuers: { "https://*.example.com": { client-id: a, type: email, ${entry} } }`;
      expect(() => parseFulcioConfig(config)).toThrow(/is for one issuer, and a pattern is many/);
    },
  );

  test("paths are relative to the configuration's folder", () => {
    const config = `oidc-issuers: { "https://issuer.example.com": { client-id: a, type: email, ca-cert-file: ca.pem } }`;
    expect(parseFulcioConfig(config, [], folder).issuers[0]!.caFile).toBe(join(folder, "ca.pem"));
    expect(() => parseFulcioConfig(config, [], tmpdir())).toThrow(/cannot be read/);
  });
});

test("keys of a file that is gone are kept for the time that the configuration says, if it says one", async () => {
  await using issuer = await FakeIssuer.start();
  const file = write("withdrawn.json", jwks(...issuer.keys));
  let now = Date.now();
  await using fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email, jwks-file: "${file}", keep-keys-for: 30m } }`,
    clock: () => now,
  });
  const token = issuer.token({ exp: Math.floor(now / 1000) + 20_000 });
  expect(await status(fulcio, token)).toBe(200);
  rmSync(file);
  now += 29 * 60_000;
  expect(await status(fulcio, token)).toBe(200);
  now += 60_000;
  expect(await status(fulcio, token)).toBe(503);
});

test("keys outlive their issuer's outage by the time that the configuration says", async () => {
  await using issuer = await FakeIssuer.start();
  let now = Date.now();
  await using fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email, keep-keys-for: 2h30m } }`,
    clock: () => now,
  });
  const token = issuer.token({ exp: Math.floor(now / 1000) + 20_000 });
  expect(await status(fulcio, token)).toBe(200);
  issuer.answers.set("/.well-known/openid-configuration", (request) => request.socket.destroy());
  issuer.answers.set("/keys", (request) => request.socket.destroy());
  now += 149 * 60_000;
  expect(await status(fulcio, token)).toBe(200);
  now += 60_000;
  expect(await status(fulcio, token)).toBe(503);
});

function claimsOf(iss: string) {
  const now = Math.floor(Date.now() / 1000);
  return { iss, aud: "sigstore", sub: "s", email, email_verified: true, iat: now, exp: now + 600 };
}

const EC = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;
type Pair = Awaited<ReturnType<typeof selfSigned>>;

const generate = () => cryptoProvider.get().subtle.generateKey(EC, true, ["sign", "verify"]);

async function identity(privateKey: CryptoKey, pem: string): Promise<Identity> {
  const pkcs8 = await cryptoProvider.get().subtle.exportKey("pkcs8", privateKey);
  const body = Buffer.from(pkcs8).toString("base64");
  return { key: `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`, cert: `${pem}\n` };
}

async function selfSigned(name: string) {
  const keys = await generate();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: SIGNING,
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new BasicConstraintsExtension(true)],
  });
  return { keys, certificate, identity: await identity(keys.privateKey, certificate.toString("pem")) };
}

async function issued(subject: string, root: Pair): Promise<Identity> {
  const keys = await generate();
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: root.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: root.keys.privateKey,
    signingAlgorithm: SIGNING,
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
  });
  return identity(keys.privateKey, certificate.toString("pem"));
}
