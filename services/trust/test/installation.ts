import { ephemeralSigner, type Signer } from "@chancery/crypto";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  createTimestampingCertificate,
  parseCertificate,
} from "@chancery/x509";
import type { TrustMaterialInput } from "../src/index.ts";

export const START = Date.parse("2026-01-01T00:00:00Z");
export const SINCE = { start: new Date(START) };
export const CLOSED = { start: new Date("2024-01-01T00:00:00Z"), end: new Date(START) };
const LIFE = { notBefore: new Date("2024-01-01T00:00:00Z"), notAfter: new Date("2046-01-01T00:00:00Z") };

export interface TufKeys {
  readonly root: Signer;
  readonly online: Signer;
}

export const tufKeys = (): TufKeys => ({ root: ephemeralSigner("ecdsa-p256"), online: ephemeralSigner("ecdsa-p256") });

/** What a new installation at this origin gives its clients to trust. */
export async function installation(url = "https://sig.example.com"): Promise<TrustMaterialInput> {
  const log = (baseUrl: string) => ({ baseUrl, publicKey: ephemeralSigner("ecdsa-p256").publicKey, validFor: SINCE });
  const timestampUrl = `${url}/api/v1/timestamp`;
  return {
    certificateAuthorities: [{ uri: url, chain: await authorityChain(), validFor: SINCE }],
    transparencyLogs: [log(url)],
    rekorV2Logs: [log(url)],
    ctLogs: [log(`${url}/ctlog/first`)],
    timestampAuthorities: [{ uri: timestampUrl, chain: await timestampChain(), validFor: SINCE }],
    services: {
      operator: new URL(url).hostname,
      certificateAuthority: { url, validFor: SINCE },
      identityProvider: { url: `${url}/idp`, validFor: SINCE },
      transparencyLogs: [
        { url, validFor: SINCE, majorApiVersion: 1 },
        { url, validFor: SINCE, majorApiVersion: 2 },
      ],
      timestampAuthority: { url: timestampUrl, validFor: SINCE },
    },
  };
}

export async function authorityChain(): Promise<Certificate[]> {
  const [root, rootSigner] = await rootAuthority("root");
  const certificate = await createIntermediateAuthority({ ...LIFE, ...issuedBy(root, rootSigner, "fulcio") });
  return [parseCertificate(certificate, "intermediate"), root];
}

export async function timestampChain(): Promise<Certificate[]> {
  const [root, rootSigner] = await rootAuthority("tsa root");
  const certificate = await createTimestampingCertificate({ ...LIFE, ...issuedBy(root, rootSigner, "tsa") });
  return [parseCertificate(certificate, "leaf"), root];
}

async function rootAuthority(commonName: string): Promise<[Certificate, Signer]> {
  const signer = ephemeralSigner("ecdsa-p256");
  return [parseCertificate(await createRootAuthority({ ...LIFE, subject: { commonName }, signer }), "root"), signer];
}

function issuedBy(issuer: Certificate, issuerSigner: Signer, commonName: string) {
  return { issuer, issuerSigner, subject: { commonName }, spki: ephemeralSigner("ecdsa-p256").publicKey.spki };
}
