import { der, DerReader, equalBytes } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { type Certificate, findExtension } from "./certificate.ts";
import type { Extension } from "./extension.ts";
import { OID } from "./oid.ts";
import { parseSctList, type SignedCertificateTimestamp } from "./sct.ts";

/**
 * RFC 6962, Section 3.1: "a special critical poison extension … whose extnValue OCTET STRING contains
 * ASN.1 NULL data (0x05 0x00)". No verifier accepts a certificate that has it.
 */
export const POISON: Extension = { oid: OID.precertificatePoison, critical: true, value: der.null() };

export function isPrecertificate(certificate: Certificate): boolean {
  return findExtension(certificate, OID.precertificatePoison) !== undefined;
}

/**
 * What a log signs for a precertificate: its TBSCertificate without the poison, all else byte for byte.
 * The poison must be exactly the RFC's, else one precertificate would have several forms.
 */
export function removePoison(precertificate: Certificate): Uint8Array {
  const poison = findExtension(precertificate, OID.precertificatePoison);
  if (poison === undefined) throw new Malformed("precertificate: no poison extension");
  if (!poison.critical || !equalBytes(poison.value, POISON.value)) {
    throw new Malformed("precertificate: poison extension is not critical NULL");
  }
  if (findExtension(precertificate, OID.sctList) !== undefined) {
    throw new Malformed("precertificate: has an SCT list");
  }
  return withoutExtension(precertificate.tbs, OID.precertificatePoison);
}

/** The bytes the log signed for the precertificate of this certificate: the TBSCertificate without its SCT list. */
export function removeSctList(certificate: Certificate): Uint8Array {
  if (findExtension(certificate, OID.sctList) === undefined) throw new Malformed("certificate: no SCT list");
  return withoutExtension(certificate.tbs, OID.sctList);
}

/** The SCTs embedded in a certificate, unverified; none if it has no list. */
export function embeddedScts(certificate: Certificate): SignedCertificateTimestamp[] {
  const extension = findExtension(certificate, OID.sctList);
  if (extension === undefined) return [];
  const reader = new DerReader(extension.value, "SCT list");
  const list = reader.octetString();
  reader.end();
  return parseSctList(list, "SCT list");
}

/** Every element is copied as it stands; only the lengths around the extension list are written anew. */
function withoutExtension(tbs: Uint8Array, oid: string): Uint8Array {
  const fields = new DerReader(tbs, "certificate").sequence();
  const parts: Uint8Array[] = [];
  while (!fields.done()) {
    const explicit = fields.explicit(3);
    parts.push(...(explicit === undefined ? [fields.any()] : extensionsWithout(explicit.sequence(), der.oid(oid))));
  }
  return der.sequence(...parts);
}

/** Nothing at all where no extension is left: Extensions ::= SEQUENCE SIZE (1..MAX). */
function extensionsWithout(list: DerReader, oid: Uint8Array): Uint8Array[] {
  const kept: Uint8Array[] = [];
  while (!list.done()) {
    const extension = list.any();
    if (!equalBytes(new DerReader(extension, "certificate").sequence().any(), oid)) kept.push(extension);
  }
  return kept.length === 0 ? [] : [der.explicit(3, der.sequence(...kept))];
}
