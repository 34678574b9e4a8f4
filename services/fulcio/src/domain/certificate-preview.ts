import { randomBytes } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import {
  type Certificate,
  createRootAuthority,
  type Extension,
  extendedKeyUsage,
  FULCIO_EXTENSIONS,
  LeafIssuer,
  OID,
  parseCertificate,
  parseFulcioExtensions,
  parseSubjectAlternativeNames,
  serialNumber,
} from "@chancery/x509";
import { CERTIFICATE_LIFETIME } from "./certificate-authority.ts";
import type { Principal } from "./principal.ts";

export interface PreviewedExtension {
  readonly oid: string;
  readonly name: string;
  readonly critical: boolean;
  readonly value: string;
}

export interface CertificatePreview {
  /** As verifiers compare it. */
  readonly identity: string;
  readonly identityType: string;
  readonly lifetimeSeconds: number;
  readonly extensions: readonly PreviewedExtension[];
}

/**
 * What stands in a principal's certificate, read from one that the profile really wrote: under a key made for this and
 * thrown away, so that nothing here could be used.
 */
export async function previewCertificate(principal: Principal, now: number): Promise<CertificatePreview> {
  const signer = ephemeralSigner("ecdsa-p256");
  const notBefore = new Date(now);
  const validity = { notBefore, notAfter: new Date(now + CERTIFICATE_LIFETIME) };
  const subject = { organization: "preview", commonName: "preview" };
  const authority = parseCertificate(await createRootAuthority({ ...validity, subject, signer }), "authority");
  const der = await new LeafIssuer(authority, signer).unloggedCertificate({
    ...validity,
    spki: ephemeralSigner("ecdsa-p256").publicKey.spki,
    san: principal.san,
    extensions: principal.extensions,
    serial: serialNumber(randomBytes(20)),
  });
  const certificate = parseCertificate(der, "certificate");
  return {
    identity: principal.san.value,
    identityType: principal.san.type,
    lifetimeSeconds: CERTIFICATE_LIFETIME / 1000,
    extensions: certificate.extensions.map((extension) => preview(extension, certificate)),
  };
}

const NAMES: Readonly<Record<string, string>> = {
  [OID.keyUsage]: "key-usage",
  [OID.extendedKeyUsage]: "extended-key-usage",
  [OID.subjectKeyIdentifier]: "subject-key-identifier",
  [OID.authorityKeyIdentifier]: "authority-key-identifier",
  [OID.subjectAlternativeName]: "subject-alternative-name",
};

const READABLE: Readonly<Record<string, (certificate: Certificate) => string>> = {
  [OID.keyUsage]: () => "digital signature",
  [OID.extendedKeyUsage]: (certificate) =>
    (extendedKeyUsage(certificate) ?? []).map((oid) => (oid === OID.codeSigning ? "code signing" : oid)).join(", "),
  [OID.subjectKeyIdentifier]: () => "of the key that the client brings",
  [OID.authorityKeyIdentifier]: () => "of the authority's certificate",
  [OID.subjectAlternativeName]: (certificate) =>
    parseSubjectAlternativeNames(certificate)
      .map(({ type, value }) => `${type}:${value}`)
      .join(", "),
};

function preview({ oid, critical, value }: Extension, certificate: Certificate): PreviewedExtension {
  const ofToken = FULCIO_EXTENSIONS.find((known) => known.oid === oid);
  if (ofToken !== undefined) {
    return { oid, critical, name: ofToken.name, value: parseFulcioExtensions(certificate)[ofToken.name] ?? "" };
  }
  return { oid, critical, name: NAMES[oid] ?? oid, value: READABLE[oid]?.(certificate) ?? value.toHex() };
}
