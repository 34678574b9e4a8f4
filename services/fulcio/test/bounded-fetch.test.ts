import "reflect-metadata";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { isLocalAddress } from "../src/oidc/address-guard.ts";
import { issuerDocuments } from "../src/oidc/bounded-fetch.ts";
import { clusterTrust } from "../src/oidc/cluster-trust.ts";
import type { ConcreteIssuer, IssuerSettings } from "../src/domain/issuer-settings.ts";
import { createSigningKey, FakeIssuer, jws } from "./fake-issuer.ts";
import { type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";

const DISCOVERY = "/.well-known/openid-configuration";
const email = "dev@example.com";

let trapUrl: string;
let trapped = 0;
const trap = createServer((_request, response) => {
  trapped++;
  response.end(JSON.stringify({ keys: [] }));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
  trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
});
afterAll(() => void trap.close());

describe("an issuer that misbehaves", () => {
  let issuer: FakeIssuer;
  let healthy: FakeIssuer;
  let fulcio: FulcioUnderTest;
  let now: number;

  beforeEach(async () => {
    now = Date.now();
    [issuer, healthy] = await Promise.all([FakeIssuer.start(), FakeIssuer.start()]);
    fulcio = await startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email }, "${healthy.url}": { client-id: sigstore, type: email } }`,
      clock: () => now,
    });
  });
  afterEach(async () => {
    await Promise.all([fulcio, issuer, healthy].map((part) => part[Symbol.asyncDispose]()));
    trapped = 0;
  });

  const misbehaviours: Record<string, (issuer: FakeIssuer) => void> = {
    "answers 500": (it) => it.answers.set(DISCOVERY, (_q, response) => response.writeHead(500).end("{}")),
    "answers HTML": (it) => it.answers.set("/keys", (_q, response) => response.end("<html></html>")),
    "answers 10 MiB": (it) =>
      it.answers.set("/keys", (_q, response) => response.end(`{"keys":[],"pad":"${"x".repeat(10 << 20)}"}`)),
    "answers a hundred thousand members": (it) =>
      it.answers.set(DISCOVERY, (_q, response) => {
        const members = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [at.toString(36), 1]));
        response.end(JSON.stringify({ issuer: it.url, jwks_uri: `${it.url}/keys`, ...members }));
      }),
    "has keys of a hundred thousand members": (it) =>
      it.answers.set("/keys", (_q, response) => {
        const members = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [at.toString(36), 1]));
        response.end(JSON.stringify({ keys: it.keys.map(({ jwk }) => jwk), ...members }));
      }),
    "answers without end": (it) =>
      it.answers.set("/keys", (_q, response) => {
        const pour = () => {
          while (response.writable && response.write("x".repeat(65_536)));
        };
        response.on("drain", pour).on("error", () => undefined);
        pour();
      }),
    "answers compressed": (it) =>
      it.answers.set("/keys", (_q, response) => response.writeHead(200, { "Content-Encoding": "gzip" }).end("x")),
    "switches to another protocol": (it) =>
      it.answers.set(DISCOVERY, ({ socket }) =>
        socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
      ),
    "hangs up": (it) => it.answers.set(DISCOVERY, (request) => request.socket.destroy()),
    "redirects to another host": (it) =>
      it.answers.set(DISCOVERY, (_q, response) => response.writeHead(302, { Location: `${trapUrl}/x` }).end()),
    "redirects its keys to another host": (it) =>
      it.answers.set("/keys", (_q, response) => response.writeHead(307, { Location: `${trapUrl}/x` }).end()),
    "redirects to a cloud's metadata": (it) =>
      it.answers.set(DISCOVERY, (_q, response) =>
        response.writeHead(302, { Location: "http://169.254.169.254/latest/meta-data" }).end(),
      ),
    "redirects to a file": (it) =>
      it.answers.set(DISCOVERY, (_q, response) => response.writeHead(302, { Location: "file:///etc/passwd" }).end()),
    "redirects in a circle": (it) =>
      it.answers.set(DISCOVERY, (_q, response) => response.writeHead(302, { Location: DISCOVERY }).end()),
    "names another issuer": (it) =>
      it.answers.set(DISCOVERY, (_q, response) =>
        response.end(JSON.stringify({ issuer: `${it.url}/`, jwks_uri: `${it.url}/keys` })),
      ),
    "has no jwks_uri": (it) =>
      it.answers.set(DISCOVERY, (_q, response) => response.end(JSON.stringify({ issuer: it.url }))),
    "has a jwks_uri that is a file": (it) =>
      it.answers.set(DISCOVERY, (_q, response) =>
        response.end(JSON.stringify({ issuer: it.url, jwks_uri: "file:///etc/passwd" })),
      ),
    "has a jwks_uri on plain http elsewhere": (it) =>
      it.answers.set(DISCOVERY, (_q, response) =>
        response.end(JSON.stringify({ issuer: it.url, jwks_uri: "http://keys.example.com/keys" })),
      ),
    "has a jwks_uri with a user": (it) =>
      it.answers.set(DISCOVERY, (_q, response) =>
        response.end(JSON.stringify({ issuer: it.url, jwks_uri: it.url.replace("http://", "http://user:pw@") })),
      ),
    "has keys that are no list": (it) =>
      it.answers.set("/keys", (_q, response) => response.end(JSON.stringify({ keys: {} }))),
    "has keys that are no keys": (it) =>
      it.answers.set("/keys", (_q, response) => response.end(JSON.stringify({ keys: [1] }))),
    "names a key twice": (it) => it.answers.set("/keys", (_q, response) => response.end('{"keys":[],"keys":[]}')),
  };

  test.for(Object.entries(misbehaviours))(
    "%s: 503 with Retry-After, others go on, and it can recover",
    async ([, set]) => {
      set(issuer);
      const answer = await fulcio.enrol(issuer.token(), email);
      expect([answer.status, answer.json().code]).toEqual([503, 14]);
      expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
      expect(answer.told()).toBe(
        "There was an error processing the identity token: the issuer cannot be asked for its keys",
      );
      expect(trapped).toBe(0);
      expect((await fulcio.enrol(healthy.token(), email)).status).toBe(200);
      issuer.answers.clear();
      now += 10_000;
      expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
    },
  );

  test("does not answer: 503 after ten seconds, and at once to the next", { timeout: 20_000 }, async () => {
    issuer.answers.set(DISCOVERY, () => undefined);
    const started = performance.now();
    const waiting = fulcio.enrol(issuer.token(), email);
    expect((await fulcio.enrol(healthy.token(), email)).status).toBe(200);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect((await waiting).status).toBe(503);
    expect(performance.now() - started).toBeLessThan(15_000);
    const next = performance.now();
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(503);
    expect(performance.now() - next).toBeLessThan(5_000);
  });

  test("a redirect on its own host is followed", async () => {
    issuer.answers.set("/keys", (_q, response) => response.writeHead(302, { Location: "/newer" }).end());
    issuer.answers.set("/newer", (_q, response) =>
      response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) })),
    );
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
  });

  test("its keys work on for an hour after it went down", async () => {
    const token = issuer.token({ exp: Math.floor(now / 1000) + 4_000 });
    expect((await fulcio.enrol(token, email)).status).toBe(200);
    issuer.answers.set(DISCOVERY, (request) => request.socket.destroy());
    issuer.answers.set("/keys", (request) => request.socket.destroy());
    now += 59 * 60_000;
    expect((await fulcio.enrol(token, email)).status).toBe(200);
    now += 60_000;
    expect((await fulcio.enrol(token, email)).status).toBe(503);
  });

  test("a new key is found at its first token, and a reused key ID too", async () => {
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
    const old = issuer.keys[0]!;
    issuer.keys = [createSigningKey(), old];
    now += 10_000;
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
    issuer.keys = [createSigningKey("ES256", issuer.keys[0]!.kid)];
    now += 10_000;
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
    expect(issuer.count("/keys")).toBe(3);
    const forgotten = jws({ alg: old.algorithm, kid: old.kid }, issuer.claims(), old);
    expect((await fulcio.enrol(forgotten, email)).status).toBe(400);
  });

  test("a thousand invented key IDs cause one request", { timeout: 60_000 }, async () => {
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
    now += 10_000;
    const stranger = createSigningKey();
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, place) =>
        fulcio.enrol(jws({ alg: "ES256", kid: `invented-${place}` }, issuer.claims(), stranger), email),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]));
    expect(issuer.count("/keys")).toBe(2);
  });

  test("a token without a key ID is tried with every key that fits", async () => {
    issuer.keys = [createSigningKey(), createSigningKey("RS256"), createSigningKey(), createSigningKey()];
    for (const key of issuer.keys) {
      const token = jws({ alg: key.algorithm }, issuer.claims(), key);
      expect((await fulcio.enrol(token, email)).status).toBe(200);
    }
    const stranger = createSigningKey();
    expect((await fulcio.enrol(jws({ alg: "ES256" }, issuer.claims(), stranger), email)).status).toBe(400);
  });

  test.for(["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"])("%s is accepted", async (algorithm) => {
    issuer.keys = [createSigningKey(algorithm)];
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
  });
});

// go-restful, which Kubernetes' API server is made with, answered Accept: application/json so, and no token of a cluster
// ever got a certificate.
test("an issuer that gives its keys as application/jwk-set+json alone, as Kubernetes does, is understood", async () => {
  await using issuer = await FakeIssuer.start();
  issuer.answers.set("/keys", (request, response) => {
    const accepted = (request.headers.accept ?? "*/*").split(",").map((range) => range.split(";")[0]!.trim());
    const isAcceptable = accepted.some((range) => range === "*/*" || range === "application/jwk-set+json");
    response.writeHead(isAcceptable ? 200 : 406, { "Content-Type": "application/jwk-set+json" });
    response.end(isAcceptable ? JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }) : "406: Not Acceptable");
  });
  await using fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: kubernetes } }`,
  });
  const claims = { "kubernetes.io": { namespace: "ci", serviceaccount: { name: "signer" } } };
  const subject = "system:serviceaccount:ci:signer";
  expect((await fulcio.enrol(issuer.token({ ...claims, sub: subject }), subject)).status).toBe(200);
});

describe("an issuer behind a pattern", () => {
  test("may not keep its keys on another host", async () => {
    await using tenant = await FakeIssuer.start({ path: "/tenant/a" });
    const pattern = tenant.url.replace("/a", "/*");
    await using fulcio = await startFulcio({
      config: `meta-issuers: { "${pattern}": { client-id: sigstore, type: email } }`,
      allowLoopbackHttp: true,
    });
    expect((await fulcio.enrol(tenant.token(), email)).status).toBe(200);
    const evil = tenant.url.replace("/a", "/evil");
    tenant.answers.set(`/tenant/evil${DISCOVERY}`, (_request, response) =>
      response.end(JSON.stringify({ issuer: evil, jwks_uri: `${trapUrl}/keys` })),
    );
    expect((await fulcio.enrol(tenant.token({ iss: evil }), email)).status).toBe(503);
    expect(trapped).toBe(0);
  });
});

const issuerOf = (url: string, settings: Partial<IssuerSettings> = {}): ConcreteIssuer => ({
  url,
  settings: { key: "", url, isPattern: false, clientId: "a", type: "email", skipEmailVerification: false, ...settings },
});

describe("TLS", () => {
  test("is verified, against the issuer's own authorities too", async () => {
    const tls = await selfSigned();
    await using issuer = await FakeIssuer.start({ tls });
    const get = (caCertificates?: string) =>
      issuerDocuments()(
        new URL(`${issuer.url}/keys`),
        issuerOf(issuer.url, { caCertificates }),
        AbortSignal.timeout(5_000),
      );
    await expect(get()).rejects.toThrow(/self-signed/);
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    await expect(get(), "with the variable that turns verification off").rejects.toThrow(/self-signed/);
    vi.unstubAllEnvs();
    expect(issuer.requests).toEqual([]);
    const body = new TextDecoder().decode(await get(tls.cert));
    expect(JSON.parse(body).keys).toHaveLength(1);
  });
});

async function selfSigned() {
  const keys = await cryptoProvider
    .get()
    .subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=issuer",
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [
      new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }]),
      new BasicConstraintsExtension(true),
    ],
  });
  const pkcs8 = await cryptoProvider.get().subtle.exportKey("pkcs8", keys.privateKey);
  const key = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(pkcs8).toString("base64")}\n-----END PRIVATE KEY-----\n`;
  return { key, cert: `${certificate.toString("pem")}\n` };
}

describe("addresses of this machine and its link", () => {
  test.for([
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "169.254.169.254",
    "::1",
    "::",
    "fe80::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "fd00:ec2::254",
    "224.0.0.1",
    "ff02::1",
  ])("%s is one", (address) => expect(isLocalAddress(address)).toBe(true));
  test.for(["10.0.0.1", "192.168.1.1", "8.8.8.8", "2001:db8::1", "fd00::1", "64:ff9b::808:808", "localhost"])(
    "%s is none",
    (address) => expect(isLocalAddress(address)).toBe(false),
  );

  test.for([
    ["https://t.example.com", { isPattern: true }, "https://169.254.169.254/x"],
    ["https://t.example.com", { isPattern: true }, "https://[::1]/x"],
    ["https://exact.example.com", {}, "https://127.0.0.1/x"],
    ["https://exact.example.com", {}, "https://2130706433/x"],
    ["https://exact.example.com", {}, "https://localhost/x"],
  ] as const)("the documents of %s %j are not asked for at %s", async ([url, settings, at]) => {
    const get = issuerDocuments()(new URL(at), issuerOf(url, settings), AbortSignal.timeout(5_000));
    await expect(get).rejects.toThrow(/is an address of this machine/);
  });
});

describe("the cluster's own issuer", () => {
  const directory = mkdtempSync(join(tmpdir(), "cluster-"));
  const files = { authorities: [join(directory, "ca.crt"), join(directory, "none")], token: join(directory, "token") };
  writeFileSync(files.authorities[0]!, "PEM");
  writeFileSync(files.token, "secret\n");
  afterAll(() => rmSync(directory, { recursive: true }));

  const api = "https://kubernetes.default.svc";
  const trustOf = (issuer: ConcreteIssuer, at = issuer.url) => clusterTrust(new URL(`${at}/x`), issuer, files);

  test("is shown our service account's token, under the cluster's CA", async () => {
    const kubernetes = issuerOf(api, { type: "kubernetes" });
    expect(await trustOf(kubernetes)).toEqual({ caCertificates: "PEM", headers: { Authorization: "Bearer secret" } });
  });

  test("but no other host is, and no other issuer", async () => {
    const kubernetes = issuerOf(api, { type: "kubernetes" });
    expect(await trustOf(kubernetes, "https://10.0.0.1:6443")).toEqual({ caCertificates: "PEM" });
    expect(await trustOf(kubernetes, `${api}:8443`)).toEqual({ caCertificates: "PEM" });
    expect(await trustOf(issuerOf(api))).toEqual({});
    expect(await trustOf(issuerOf("https://oidc.eks.example.com/id/A", { type: "kubernetes" }))).toEqual({});
    expect(await trustOf(issuerOf(api, { type: "kubernetes", isPattern: true }))).toEqual({});
  });

  test("nor the address that the API server names for its keys, unless the configuration does too", async () => {
    const uri = "https://10.0.0.1:6443/openid/v1/jwks";
    const kubernetes = issuerOf(api, { type: "kubernetes", keys: { type: "uri", uri } });
    expect(await trustOf(kubernetes, "https://10.0.0.1:6443")).toHaveProperty("headers.Authorization", "Bearer secret");
    expect(await trustOf(kubernetes, "https://10.0.0.2:6443")).toEqual({ caCertificates: "PEM" });
  });

  test("without the files it is an issuer like any other", async () => {
    const nowhere = { authorities: [join(directory, "a")], token: join(directory, "b") };
    expect(await clusterTrust(new URL(api), issuerOf(api, { type: "kubernetes" }), nowhere)).toEqual({});
  });
});
