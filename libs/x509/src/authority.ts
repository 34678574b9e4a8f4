import { randomBytes } from "node:crypto";
import type { Signer } from "@chancery/crypto";
import { der, equalBytes } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import type { Certificate } from "./certificate.ts";
import { createCertificateRequest } from "./csr.ts";
import { type DistinguishedName, encodeDistinguishedName } from "./distinguished-name.ts";
import { encodeExtension, type Extension } from "./extension.ts";
import { OID } from "./oid.ts";
import { SERIAL_BYTES, serialNumber } from "./serial-number.ts";
import { signatureAlgorithmIdentifier } from "./signature-algorithm.ts";
import {
  authorityConstraintsExtension,
  authorityKeyIdentifierExtension,
  extendedKeyUsageExtension,
  keyUsageExtension,
  subjectKeyIdentifier,
  subjectKeyIdentifierExtension,
} from "./standard-extensions.ts";

interface LongLived {
  /** Or a DER Name, as a request has it. */
  readonly subject: DistinguishedName | Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** From `serialNumber`; fresh random bytes if left out. */
  readonly serial?: Uint8Array;
}

export interface RootAuthorityRequest extends LongLived {
  readonly signer: Signer;
  readonly extendedKeyUsage?: readonly string[];
  /** How many authorities may stand below this one; 1 if left out. */
  readonly pathLength?: number;
}

interface Issued extends LongLived {
  readonly issuer: Certificate;
  readonly issuerSigner: Signer;
  /** The key that is certified. */
  readonly spki: Uint8Array;
}

export interface IntermediateAuthorityRequest extends Issued {
  /** codeSigning if left out: what Fulcio's intermediate must list. */
  readonly extendedKeyUsage?: readonly string[];
  /** 0 if left out: it certifies leaves only. */
  readonly pathLength?: number;
}

export type TimestampingCertificateRequest = Issued;

/** A self-signed authority. */
export function createRootAuthority(request: RootAuthorityRequest): Promise<Uint8Array> {
  const { subject, signer, extendedKeyUsage, pathLength = 1 } = request;
  const spki = signer.publicKey.spki;
  const extensions = authorityExtensions(spki, pathLength, extendedKeyUsage);
  return signCertificate({ ...request, spki }, encodeName(subject), signer, extensions);
}

/** An authority below another, which issues leaves. */
export function createIntermediateAuthority(request: IntermediateAuthorityRequest): Promise<Uint8Array> {
  const { spki, issuer, issuerSigner, extendedKeyUsage = [OID.codeSigning], pathLength = 0 } = request;
  const extensions = authorityExtensions(spki, pathLength, extendedKeyUsage);
  return signCertificate(request, issuer.subject, issuerSigner, [...extensions, issuedBy(issuer, issuerSigner)]);
}

/**
 * The timestamp authority's certificate. RFC 3161, Section 2.3: "The corresponding certificate MUST contain only
 * one instance of the extended key usage field extension … with KeyPurposeID having value id-kp-timeStamping.
 * This extension MUST be critical."
 */
export function createTimestampingCertificate(request: TimestampingCertificateRequest): Promise<Uint8Array> {
  const { spki, issuer, issuerSigner } = request;
  return signCertificate(request, issuer.subject, issuerSigner, [
    keyUsageExtension(["digitalSignature"]),
    extendedKeyUsageExtension([OID.timeStamping], true),
    subjectKeyIdentifierExtension(spki),
    issuedBy(issuer, issuerSigner),
  ]);
}

/** What an issuing authority asks of whoever holds the root: the profile of {@link createIntermediateAuthority}. */
export function createIntermediateRequest(subject: DistinguishedName, signer: Signer): Promise<Uint8Array> {
  const extensions = authorityExtensions(signer.publicKey.spki, 0, [OID.codeSigning]);
  return createCertificateRequest({ subject, signer, extensions });
}

function encodeName(name: DistinguishedName | Uint8Array): Uint8Array {
  return name instanceof Uint8Array ? name : encodeDistinguishedName(name);
}

function authorityExtensions(
  spki: Uint8Array,
  pathLength: number,
  purposes: readonly string[] | undefined,
): readonly Extension[] {
  return [
    keyUsageExtension(["keyCertSign", "cRLSign"]),
    ...(purposes === undefined ? [] : [extendedKeyUsageExtension(purposes, false)]),
    authorityConstraintsExtension(pathLength),
    subjectKeyIdentifierExtension(spki),
  ];
}

function issuedBy(issuer: Certificate, signer: Signer): Extension {
  if (!equalBytes(issuer.spki, signer.publicKey.spki)) {
    throw new Misconfigured("issuer", "the issuing certificate is not that of the signing key");
  }
  const identifier = subjectKeyIdentifier(issuer);
  if (identifier === undefined) throw new Misconfigured("issuer", "has no subject key identifier");
  return authorityKeyIdentifierExtension(identifier);
}

async function signCertificate(
  request: LongLived & { readonly spki: Uint8Array },
  issuerName: Uint8Array,
  signer: Signer,
  extensions: readonly Extension[],
): Promise<Uint8Array> {
  const algorithm = signatureAlgorithmIdentifier(signer.publicKey.algorithm);
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.integerBytes(request.serial ?? serialNumber(randomBytes(SERIAL_BYTES))),
    algorithm,
    issuerName,
    der.sequence(der.time(request.notBefore), der.time(request.notAfter)),
    encodeName(request.subject),
    request.spki,
    der.explicit(3, der.sequence(...extensions.map(encodeExtension))),
  );
  return der.sequence(tbs, algorithm, der.bitString(await signer.sign(tbs)));
}
