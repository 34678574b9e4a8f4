import { randomBytes } from "node:crypto";
import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { der } from "@chancery/encoding";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  encodeDistinguishedName,
  encodeExtension,
  encodeSubjectAlternativeName,
  type Extension,
  extendedKeyUsageExtension,
  LeafIssuer,
  type LeafRequest,
  OID,
  parseCertificate,
  POISON,
  serialNumber,
  signatureAlgorithmIdentifier,
} from "@chancery/x509";

const VALID = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2036-01-01T00:00:00Z") };

/** A CA as Chancery sets it up: a root, and an intermediate that issues leaves for code signing. */
export interface Authority {
  readonly root: Certificate;
  readonly rootSigner: Signer;
  readonly intermediate: Certificate;
  readonly signer: Signer;
  readonly issuer: LeafIssuer;
}

export async function createAuthority(
  name = "chancery",
  rootSigner = ephemeralSigner("ecdsa-p256"),
): Promise<Authority> {
  const subject = { commonName: name, organization: "test" };
  const root = parseCertificate(await createRootAuthority({ ...VALID, subject, signer: rootSigner }), "root");
  const signer = ephemeralSigner("ecdsa-p256");
  const intermediate = parseCertificate(
    await createIntermediateAuthority({
      ...VALID,
      subject: { ...subject, commonName: `${name} intermediate` },
      issuer: root,
      issuerSigner: rootSigner,
      spki: signer.publicKey.spki,
    }),
    "intermediate",
  );
  return { root, rootSigner, intermediate, signer, issuer: new LeafIssuer(intermediate, signer) };
}

export function leafRequest(email = "dev@example.com"): LeafRequest {
  return {
    spki: ephemeralSigner("ecdsa-p256").publicKey.spki,
    san: { type: "email", value: email },
    extensions: { issuer: "https://issuer.example" },
    notBefore: new Date("2026-02-01T00:00:00Z"),
    notAfter: new Date("2026-02-01T00:10:00Z"),
    serial: serialNumber(randomBytes(20)),
  };
}

/** Precertificate, intermediate, root, as Fulcio submits them. */
export async function precertificateChain(authority: Authority, request = leafRequest()): Promise<Uint8Array[]> {
  const { der: precertificate } = await authority.issuer.precertificate(request);
  return [precertificate, authority.intermediate.der, authority.root.der];
}

export async function certificateChain(authority: Authority, request = leafRequest()): Promise<Uint8Array[]> {
  const certificate = await authority.issuer.unloggedCertificate(request);
  return [certificate, authority.intermediate.der, authority.root.der];
}

export interface OddLeaf {
  readonly extensions?: readonly Extension[];
  /** Bytes of Extension structures as they stand, after the others. */
  readonly rawExtensions?: readonly Uint8Array[];
  readonly issuerName?: Uint8Array;
  readonly signer?: Signer;
}

export const CODE_SIGNING = extendedKeyUsageExtension([OID.codeSigning], false);
export { POISON };

/** A leaf that no honest issuer writes. */
export async function oddLeaf(authority: Authority, odd: OddLeaf): Promise<Uint8Array> {
  const signer = odd.signer ?? authority.signer;
  const algorithm = signatureAlgorithmIdentifier(signer.publicKey.algorithm);
  const names = encodeSubjectAlternativeName({ type: "email", value: "dev@example.com" });
  const san = { oid: OID.subjectAlternativeName, critical: true, value: names };
  const extensions = [
    ...[san, ...(odd.extensions ?? [CODE_SIGNING])].map(encodeExtension),
    ...(odd.rawExtensions ?? []),
  ];
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.integer(4711),
    algorithm,
    odd.issuerName ?? authority.intermediate.subject,
    der.sequence(der.time(VALID.notBefore), der.time(VALID.notAfter)),
    encodeDistinguishedName({ commonName: "odd", organization: "test" }),
    ephemeralSigner("ecdsa-p256").publicKey.spki,
    der.explicit(3, der.sequence(...extensions)),
  );
  return der.sequence(tbs, algorithm, der.bitString(await signer.sign(tbs)));
}
