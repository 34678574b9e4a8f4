import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { sha256 } from "@chancery/crypto";
import { decodeHex } from "@chancery/encoding";
import { expect, test } from "vitest";
import { certificateContents } from "../src/domain/issued-certificate.ts";
import type { IssuedEntry } from "../src/domain/issuance-ledger.ts";

const SERIAL = `00${"ab".repeat(19)}`;

/** A row as the CA writes it. */
async function row(): Promise<IssuedEntry> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: SERIAL,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "email", value: "dev@example.com" }], true)],
  });
  const certificate = new Uint8Array(made.rawData);
  return {
    time: 0,
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
])("a row with another %s is contradicted", async ([member, change]) => {
  expect(certificateContents({ ...(await row()), ...change }).contradicts).toBe(member);
});
