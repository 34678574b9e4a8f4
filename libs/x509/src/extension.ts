import { der } from "@chancery/encoding";

/** One entry of a certificate's extension list; `value` is what the OCTET STRING holds. */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/**
 * Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
 *
 * RFC 5280, Section 4.1. DER leaves the default out.
 */
export function encodeExtension(extension: Extension): Uint8Array {
  const [oid, value] = [der.oid(extension.oid), der.octetString(extension.value)];
  return extension.critical ? der.sequence(oid, der.boolean(true), value) : der.sequence(oid, value);
}
