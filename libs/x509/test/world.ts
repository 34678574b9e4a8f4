import { ephemeralSigner, type KeyAlgorithm, type Signer } from "@chancery/crypto";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  type FulcioExtensions,
  LeafIssuer,
  type LeafRequest,
  parseCertificate,
  serialNumber,
  type SignedCertificateTimestamp,
} from "../src/index.ts";

export const YEAR_2026 = new Date("2026-01-01T00:00:00Z");
export const YEAR_2036 = new Date("2036-01-01T00:00:00Z");

export interface Authority {
  readonly root: Certificate;
  readonly rootSigner: Signer;
  readonly intermediate: Certificate;
  readonly intermediateSigner: Signer;
  readonly issuer: LeafIssuer;
}

/** A root and an intermediate as an installation makes them. */
export async function authority(algorithm: KeyAlgorithm = "ecdsa-p256"): Promise<Authority> {
  const [rootSigner, intermediateSigner] = [ephemeralSigner(algorithm), ephemeralSigner(algorithm)];
  const validity = { notBefore: YEAR_2026, notAfter: YEAR_2036 };
  const root = parseCertificate(
    await createRootAuthority({
      subject: { commonName: "Example Root", organization: "Example" },
      signer: rootSigner,
      ...validity,
    }),
    "root",
  );
  const intermediate = parseCertificate(
    await createIntermediateAuthority({
      subject: { commonName: "Example Intermediate", organization: "Example" },
      issuer: root,
      issuerSigner: rootSigner,
      spki: intermediateSigner.publicKey.spki,
      ...validity,
    }),
    "intermediate",
  );
  return {
    root,
    rootSigner,
    intermediate,
    intermediateSigner,
    issuer: new LeafIssuer(intermediate, intermediateSigner),
  };
}

export function leafRequest(changes: Partial<LeafRequest> = {}): LeafRequest {
  return {
    spki: ephemeralSigner("ecdsa-p256").publicKey.spki,
    san: { type: "email", value: "dev@example.com" },
    extensions: { issuer: "https://issuer.example.com", "token-subject": "subject" } satisfies FulcioExtensions,
    notBefore: new Date("2026-11-21T10:00:00.789Z"),
    notAfter: new Date("2026-11-21T10:10:00.789Z"),
    serial: serialNumber(Uint8Array.from({ length: 20 }, (_, index) => 0xf0 + (index % 16))),
    ...changes,
  };
}

export function sct(changes: Partial<SignedCertificateTimestamp> = {}): SignedCertificateTimestamp {
  return {
    logId: new Uint8Array(32).fill(7),
    timestamp: 1_700_000_000_123,
    extensions: new Uint8Array(),
    signature: Uint8Array.of(4, 3, 0, 2, 0xab, 0xcd),
    ...changes,
  };
}
