import "reflect-metadata";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509ChainBuilder,
} from "@peculiar/x509";
import { sha256 } from "@chancery/crypto";
import { embeddedScts, parseCertificate, removePoison, removeSctList, verifySct } from "@chancery/x509";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FulcioModule, parseFulcioConfig } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { createTestAuthority, type FulcioUnderTest, leafOf, startFulcio } from "./fulcio-under-test.ts";

const ARC = "1.3.6.1.4.1.57264.1";

const valueOf = (oid: string) => Buffer.from(leaf.getExtension(oid)!.value).toString("latin1");
const openssl = (...args: string[]) => execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });

let issuer: FakeIssuer;
let fulcio: FulcioUnderTest;
let leaf: X509Certificate;
let before: number;
let after: number;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
  });
  before = Date.now();
  leaf = new X509Certificate(leafOf(await fulcio.enrol(issuer.token(), "dev@example.com")));
  after = Date.now();
});

afterAll(async () => {
  await Promise.all([fulcio, issuer].map((part) => part?.[Symbol.asyncDispose]()));
});

test("@peculiar/x509 builds the chain and verifies every signature", async () => {
  const chain = fulcio.authority.chain.map(({ der }) => new X509Certificate(new Uint8Array(der)));
  const built = await new X509ChainBuilder({ certificates: chain }).build(leaf);
  expect(built.map(({ subject }) => subject)).toEqual(["", chain[0]!.subject, chain[1]!.subject]);
  expect(await leaf.verify({ publicKey: await chain[0]!.publicKey.export(), signatureOnly: true })).toBe(true);
});

test("it is valid for ten minutes from now, not back-dated", () => {
  expect(leaf.notBefore.getTime()).toBeGreaterThan(before - 1_000);
  expect(leaf.notBefore.getTime()).toBeLessThanOrEqual(after);
  expect(leaf.notAfter.getTime() - leaf.notBefore.getTime()).toBe(600_000);
});

test("its profile is upstream's: extensions, their order and which are critical", () => {
  expect(leaf.subject).toBe("");
  expect(leaf.serialNumber).toMatch(/^[0-9a-f]{30,40}$/);
  expect(leaf.extensions.map(({ type, critical }) => [type, critical])).toEqual([
    ["2.5.29.15", true],
    ["2.5.29.37", false],
    ["2.5.29.14", false],
    ["2.5.29.35", false],
    ["2.5.29.17", true],
    [`${ARC}.1`, false],
    [`${ARC}.8`, false],
    [`${ARC}.24`, false],
    ["1.3.6.1.4.1.11129.2.4.2", false],
  ]);
  expect(leaf.getExtension(KeyUsagesExtension)?.usages).toBe(KeyUsageFlags.digitalSignature);
  expect(leaf.getExtension(ExtendedKeyUsageExtension)?.usages).toEqual(["1.3.6.1.5.5.7.3.3"]);
  const intermediate = new X509Certificate(new Uint8Array(fulcio.authority.chain[0].der));
  expect(leaf.getExtension(AuthorityKeyIdentifierExtension)?.keyId).toBe(
    intermediate.getExtension(SubjectKeyIdentifierExtension)?.keyId,
  );
  expect(leaf.getExtension(SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
    { type: "email", value: "dev@example.com" },
  ]);
});

test("the issuer stands in it raw and as UTF8String, the subject as UTF8String", () => {
  expect(valueOf(`${ARC}.1`)).toBe(issuer.url);
  expect(valueOf(`${ARC}.8`)).toBe(`\x0c${String.fromCharCode(issuer.url.length)}${issuer.url}`);
  expect(valueOf(`${ARC}.24`)).toBe("\x0c\x0esubject-of-dev");
});

test("its SCT is the log's, over the precertificate that the log was shown with its whole chain", async () => {
  const certificate = parseCertificate(new Uint8Array(leaf.rawData), "leaf");
  const [submitted] = fulcio.ctLog.submitted;
  expect(submitted!.slice(1)).toEqual(fulcio.authority.chain.map(({ der }) => der));
  const tbs = removeSctList(certificate);
  expect(tbs).toEqual(removePoison(parseCertificate(submitted![0]!, "precertificate")));
  const [sct, ...others] = embeddedScts(certificate);
  expect(others).toEqual([]);
  const issuerKeyHash = sha256(fulcio.authority.signer.publicKey.spki);
  await verifySct(sct!, fulcio.ctLog.publicKey, { type: "precertificate", issuerKeyHash, tbs });
});

test("openssl verifies it for code signing", () => {
  const directory = mkdtempSync(join(tmpdir(), "fulcio-"));
  try {
    const file = (name: string, der: Uint8Array) => {
      const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`;
      writeFileSync(
        join(directory, name),
        pem.replace(/[A-Za-z0-9+/=]{65,}/, (body) => body.match(/.{1,64}/g)!.join("\n")),
      );
      return join(directory, name);
    };
    const [intermediate, root] = fulcio.authority.chain;
    const leafFile = file("leaf.pem", new Uint8Array(leaf.rawData));
    const trust = ["-CAfile", file("root.pem", root.der), "-untrusted", file("intermediate.pem", intermediate.der)];
    expect(openssl("verify", "-x509_strict", "-purpose", "any", ...trust, leafFile)).toContain("OK");
    const text = openssl("x509", "-in", leafFile, "-noout", "-text");
    expect(text).toContain("email:dev@example.com");
    expect(text).toContain("CT Precertificate SCTs");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a hundred certificates have a hundred serials of 20 bytes, all positive", async () => {
  const since = Date.now();
  await Promise.all(Array.from({ length: 100 }, () => fulcio.enrol(issuer.token(), "dev@example.com")));
  const entries = await fulcio.ledger.issued({ since, limit: 1000 });
  const serials = entries.map(({ serial }) => Buffer.from(serial).toString("hex"));
  expect(new Set(serials).size).toBe(100);
  for (const serial of serials) expect(serial).toMatch(/^[0-7][0-9a-f]{39}$/);
});

test("the service is ready while its chain is valid, and issues only then", async () => {
  let now = Date.now();
  await using late = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
    clock: () => now,
  });
  expect((await late.request("/readyz")).status).toBe(200);
  now += 400 * 86_400_000;
  late.service.readiness.add("moment", async () => undefined);
  const answer = await late.request("/readyz");
  expect(answer.status).toBe(503);
  expect(answer.json().reasons[0]).toMatchObject({ service: "fulcio", reason: expect.stringMatching(/valid from/) });
  const at = Math.floor(now / 1000);
  const refused = await late.enrol(issuer.token({ iat: at, nbf: at, exp: at + 60 }), "dev@example.com");
  expect([refused.status, refused.told()]).toEqual([
    500,
    expect.stringMatching(/^error communicating with CA backend: certificate 0 of the authority's chain is valid from/),
  ]);
});

test("it refuses to start with a key or a chain that does not fit", async () => {
  const config = parseFulcioConfig("oidc-issuers: { 'https://issuer.example.com': { client-id: a, type: email } }");
  const [one, other] = [await createTestAuthority(), await createTestAuthority()];
  const start = (links: Parameters<typeof FulcioModule.forRoot>[1]) => () => FulcioModule.forRoot(config, links);
  expect(start({ issuer: one })).not.toThrow();
  expect(start({ issuer: { chain: one.chain, signer: other.signer } })).toThrow(
    /is not of the key that signs under it/,
  );
  expect(start({ issuer: { chain: [one.chain[0], other.chain[1]], signer: one.signer } })).toThrow(/fulcio.chain/);
  expect(start({ issuer: { chain: [], signer: one.signer } })).toThrow(/fulcio.chain/);
});

test("readiness warns for the last thirty days of the chain, and stays ready", async () => {
  let now = Date.now();
  await using old = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
    clock: () => now,
  });
  const { notAfter } = old.authority.chain[0];
  const ready = async () => {
    const answer = await old.request("/readyz");
    return { status: answer.status, ...(answer.json() as object) };
  };
  now = notAfter.getTime() - 31 * 86_400_000;
  expect(await ready()).toEqual({ status: "ready" });
  now = notAfter.getTime() - 29.5 * 86_400_000;
  expect(await ready()).toEqual({
    status: "ready",
    warnings: [{ service: "fulcio", warning: expect.stringMatching(/ends on .* \(in 30 days\)/) }],
  });
});
