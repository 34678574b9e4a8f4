import { sha1 } from "@chancery/crypto";
import { der, DerReader, Tag } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { BackwardDer } from "./backward-der.ts";
import { type Certificate, findExtension } from "./certificate.ts";
import { type Extension, wrapExtension } from "./extension.ts";
import { OID } from "./oid.ts";

/** RFC 5280, Section 4.2.1.3; the bit's place in the BIT STRING. */
export const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;
export type KeyUsage = keyof typeof KEY_USAGE;

export interface BasicConstraints {
  readonly certificateAuthority: boolean;
  readonly pathLength?: number;
}

/** KeyUsage ::= BIT STRING; DER cuts trailing zero bits (X.690, Section 11.2.2). */
export function keyUsageExtension(usages: readonly KeyUsage[]): Extension {
  const bits = usages.map((usage): number => KEY_USAGE[usage]);
  const octet = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  const value = der.bitString(Uint8Array.of(octet), 7 - Math.max(...bits));
  return { oid: OID.keyUsage, critical: true, value };
}

/** ExtKeyUsageSyntax ::= SEQUENCE SIZE (1..MAX) OF KeyPurposeId. RFC 5280, Section 4.2.1.12. */
export function extendedKeyUsageExtension(purposes: readonly string[], critical: boolean): Extension {
  return { oid: OID.extendedKeyUsage, critical, value: der.sequence(...purposes.map((purpose) => der.oid(purpose))) };
}

/** BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL } */
export function authorityConstraintsExtension(pathLength: number | undefined): Extension {
  const length = pathLength === undefined ? [] : [der.integer(pathLength)];
  return { oid: OID.basicConstraints, critical: true, value: der.sequence(der.boolean(true), ...length) };
}

/**
 * SubjectKeyIdentifier ::= OCTET STRING
 *
 * RFC 5280, Section 4.2.1.2, method 1, which upstream's Fulcio writes: the SHA-1 of the key's bits. It is a
 * name, and nothing rests on its collisions being hard.
 */
export function subjectKeyIdentifierExtension(spki: Uint8Array): Extension {
  return { oid: OID.subjectKeyIdentifier, critical: false, value: der.octetString(keyIdentifier(spki)) };
}

export function writeSubjectKeyIdentifier(writer: BackwardDer, spki: Uint8Array): void {
  const end = writer.position;
  writer.bytes(keyIdentifier(spki));
  writer.wrap(Tag.OCTET_STRING, end);
  wrapExtension(writer, end, SUBJECT_KEY_IDENTIFIER);
}

const SUBJECT_KEY_IDENTIFIER = der.oid(OID.subjectKeyIdentifier);

function keyIdentifier(spki: Uint8Array): Uint8Array {
  const key = new DerReader(spki, "public key").sequence();
  key.any();
  return sha1(key.bitString().bytes);
}

/** AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] IMPLICIT OCTET STRING OPTIONAL, … } */
export function authorityKeyIdentifierExtension(identifier: Uint8Array): Extension {
  return { oid: OID.authorityKeyIdentifier, critical: false, value: der.sequence(der.implicit(0, identifier)) };
}

export function subjectKeyIdentifier(certificate: Certificate): Uint8Array | undefined {
  const reader = extensionReader(certificate, OID.subjectKeyIdentifier);
  const identifier = reader?.octetString();
  reader?.end();
  return identifier;
}

export function authorityKeyIdentifier(certificate: Certificate): Uint8Array | undefined {
  const reader = extensionReader(certificate, OID.authorityKeyIdentifier);
  if (reader === undefined) return undefined;
  const fields = reader.sequence();
  reader.end();
  return !fields.done() && fields.tag() === 0x80 ? fields.read(0x80) : undefined;
}

/** An absent extension says: not an authority. */
export function basicConstraints(certificate: Certificate): BasicConstraints {
  const reader = extensionReader(certificate, OID.basicConstraints);
  if (reader === undefined) return { certificateAuthority: false };
  const fields = reader.sequence();
  reader.end();
  const certificateAuthority = !fields.done() && fields.tag() === 0x01 && fields.boolean();
  if (fields.done()) return { certificateAuthority };
  const pathLength = fields.integer();
  fields.end();
  if (pathLength < 0n || pathLength > 255n) throw new Malformed("certificate: path length is out of range");
  return { certificateAuthority, pathLength: Number(pathLength) };
}

/** Without the extension a key may be used for anything (RFC 5280, Section 4.2.1.3). */
export function allowsKeyUsage(certificate: Certificate, usage: KeyUsage): boolean {
  const reader = extensionReader(certificate, OID.keyUsage);
  if (reader === undefined) return true;
  const [octet = 0] = reader.bitString().bytes;
  reader.end();
  return (octet & (0x80 >> KEY_USAGE[usage])) !== 0;
}

/** The purposes a certificate lists; undefined if it restricts nothing. */
export function extendedKeyUsage(certificate: Certificate): readonly string[] | undefined {
  const reader = extensionReader(certificate, OID.extendedKeyUsage);
  if (reader === undefined) return undefined;
  const list = reader.sequence();
  reader.end();
  const purposes: string[] = [];
  while (!list.done()) purposes.push(list.oid());
  return purposes;
}

function extensionReader(certificate: Certificate, oid: string): DerReader | undefined {
  const extension = findExtension(certificate, oid);
  return extension && new DerReader(extension.value, `certificate extension ${oid}`);
}
