import { ephemeralSigner } from "@chancery/crypto";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  createTimestampingCertificate,
  parseCertificate,
} from "@chancery/x509";
import type { TrustedParties, Validity } from "../src/index.ts";

export const SINCE: Validity = { start: new Date("2026-01-01T00:00:00Z") };
const LIFE = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2036-01-01T00:00:00Z") };

/** Issuing certificate first, as the trusted root wants it. */
export async function authorityChain(): Promise<Certificate[]> {
  const [rootSigner, issuerSigner] = [ephemeralSigner("ecdsa-p256"), ephemeralSigner("ecdsa-p256")];
  const root = parseCertificate(
    await createRootAuthority({
      ...LIFE,
      subject: { commonName: "root", organization: "example.com" },
      signer: rootSigner,
    }),
    "root",
  );
  const issuer = await createIntermediateAuthority({
    ...LIFE,
    subject: { commonName: "fulcio", organization: "example.com" },
    issuer: root,
    issuerSigner: rootSigner,
    spki: issuerSigner.publicKey.spki,
  });
  return [parseCertificate(issuer, "issuer"), root];
}

export async function timestampChain(): Promise<Certificate[]> {
  const [rootSigner, leafSigner] = [ephemeralSigner("ecdsa-p256"), ephemeralSigner("ecdsa-p256")];
  const root = parseCertificate(
    await createRootAuthority({ ...LIFE, subject: { commonName: "tsa root" }, signer: rootSigner }),
    "root",
  );
  const leaf = await createTimestampingCertificate({
    ...LIFE,
    subject: { commonName: "tsa" },
    issuer: root,
    issuerSigner: rootSigner,
    spki: leafSigner.publicKey.spki,
  });
  return [parseCertificate(leaf, "leaf"), root];
}

export async function oneOfEach(): Promise<TrustedParties> {
  const log = (baseUrl: string) => ({ baseUrl, publicKey: ephemeralSigner("ecdsa-p256").publicKey, validFor: SINCE });
  return {
    certificateAuthorities: [{ uri: "https://sig.example.com", chain: await authorityChain(), validFor: SINCE }],
    transparencyLogs: [log("https://sig.example.com")],
    ctLogs: [log("https://sig.example.com/ctlog/2026")],
    timestampAuthorities: [
      { uri: "https://sig.example.com/api/v1/timestamp", chain: await timestampChain(), validFor: SINCE },
    ],
  };
}
