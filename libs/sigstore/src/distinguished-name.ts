import { DerReader } from "@chancery/encoding";
import { OID } from "@chancery/x509";
import type { DistinguishedName } from "@sigstore/protobuf-specs";

/**
 * The two attributes of a name that the trusted root shows. RFC 5280, Section 4.1.2.4.
 *
 *     Name ::= SEQUENCE OF RelativeDistinguishedName
 *     RelativeDistinguishedName ::= SET SIZE (1..MAX) OF AttributeTypeAndValue
 *     AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY }
 *
 * For people only: no client compares them. An absent attribute is an empty text, as in protobuf.
 */
export function parseDistinguishedName(name: Uint8Array, field: string): DistinguishedName {
  const attributes = new Map<string, string>();
  const relativeNames = new DerReader(name, field).sequence();
  while (!relativeNames.done()) {
    const set = relativeNames.set();
    while (!set.done()) {
      const attribute = set.sequence();
      const type = attribute.oid();
      const value = attribute.any();
      // PrintableString, UTF8String and IA5String all read as UTF-8.
      attributes.set(type, new TextDecoder().decode(new DerReader(value, field).read(value[0] ?? 0)));
      attribute.end();
    }
  }
  return { organization: attributes.get(OID.organization) ?? "", commonName: attributes.get(OID.commonName) ?? "" };
}
