import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { sha256 } from "@chancery/crypto";
import { decodeHex } from "@chancery/encoding";
import { expect, test } from "vitest";
import { certificateContents } from "../src/domain/issued-certificate.ts";
import type { IssuedEntry } from "../src/domain/issuance-ledger.ts";

const BEGIN = Date.parse("2026-11-21T10:00:00Z");
const SERIAL = `00${"ab".repeat(19)}`;

/** What the token said, as DER UTF8String. */
const claim = (oid: string, text: string) =>
  new x509.Extension(oid, false, Uint8Array.of(0x0c, text.length, ...Buffer.from(text)));

/** A row as the CA writes it. */
async function row(): Promise<IssuedEntry> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: SERIAL,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(BEGIN),
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: "email", value: "dev@example.com" }], true),
      claim("1.3.6.1.4.1.57264.1.8", "https://issuer.example.com"),
      claim("1.3.6.1.4.1.57264.1.24", "dev"),
    ],
  });
  const certificate = new Uint8Array(made.rawData);
  return {
    time: BEGIN + 700,
    issuer: "https://issuer.example.com",
    subject: "dev",
    san: { type: "email", value: "dev@example.com" },
    serial: decodeHex(SERIAL, "serial"),
    certificate,
    certificateHash: sha256(certificate),
    keyHash: sha256(new Uint8Array(made.publicKey.rawData)),
    claimsHash: new Uint8Array(32),
    ctIndex: 0n,
    wouldRefuse: undefined,
  };
}

test("a row is what its certificate says, a serial with a zero in front included", async () => {
  expect(certificateContents(await row()).contradicts).toBeUndefined();
});

test.for<[keyof IssuedEntry, Partial<IssuedEntry>]>([
  ["san", { san: { type: "email", value: "evil@example.com" } }],
  ["san", { san: { type: "dns", value: "dev@example.com" } }],
  ["serial", { serial: decodeHex(`01${"ab".repeat(19)}`, "serial") }],
  ["keyHash", { keyHash: new Uint8Array(32) }],
  ["certificateHash", { certificateHash: new Uint8Array(32) }],
  ["time", { time: BEGIN - 1_001 }],
  ["time", { time: BEGIN + 15_001 }],
  ["issuer", { issuer: "https://other.example.com" }],
  ["subject", { subject: "else" }],
])("a row with another %s is contradicted", async ([member, change]) => {
  expect(certificateContents({ ...(await row()), ...change }).contradicts).toBe(member);
});

test("a row of the latest time that a slow CT log leaves, or of a token that names who vouched, is not", async () => {
  expect(certificateContents({ ...(await row()), time: BEGIN + 15_000 }).contradicts).toBeUndefined();
  const dex = { ...(await row()), issuer: "https://dex.example.com" };
  expect(certificateContents(dex, (issuer) => issuer === "https://dex.example.com").contradicts).toBeUndefined();
});
