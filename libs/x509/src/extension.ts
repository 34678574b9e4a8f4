import { der, Tag } from "@chancery/encoding";
import type { BackwardDer } from "./backward-der.ts";

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

/** The same around the value that was written since `end`: a critical one, or not. */
export function wrapExtension(writer: BackwardDer, end: number, encodedOid: Uint8Array, critical = false): void {
  writer.wrap(Tag.OCTET_STRING, end);
  if (critical) writer.bytes(TRUE);
  writer.bytes(encodedOid);
  writer.wrap(Tag.SEQUENCE, end);
}

const TRUE = der.boolean(true);
