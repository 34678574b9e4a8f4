import { der, DerReader } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { OID } from "./oid.ts";

/** The two attributes a private authority's name needs. */
export interface DistinguishedName {
  readonly commonName: string;
  readonly organization?: string;
}

/** RFC 5280, Appendix A.1: ub-common-name, ub-organization-name. Counted in UTF-16 units, which errs on the small side. */
const MAX_CHARACTERS = 64;

/** The subject of every Fulcio leaf: who signed stands in the SAN. */
export const EMPTY_NAME: Uint8Array = der.sequence();

/**
 * Name ::= RDNSequence
 * RDNSequence ::= SEQUENCE OF RelativeDistinguishedName
 * RelativeDistinguishedName ::= SET SIZE (1..MAX) OF AttributeTypeAndValue
 *
 * RFC 5280, Section 4.1.2.4. Broadest first: organization, then common name.
 */
export function encodeDistinguishedName(name: DistinguishedName): Uint8Array {
  const rdns = [attribute(OID.commonName, name.commonName, "common name")];
  if (name.organization !== undefined) rdns.unshift(attribute(OID.organization, name.organization, "organization"));
  return der.sequence(...rdns);
}

/** Throws unless the bytes have the shape of a Name. Values are not looked at: names compare by bytes. */
export function assertDistinguishedName(reader: DerReader): void {
  while (!reader.done()) {
    const rdn = reader.set();
    if (rdn.done()) throw new Malformed("name: a relative distinguished name is empty");
    while (!rdn.done()) {
      const pair = rdn.sequence();
      pair.oid();
      pair.any();
      pair.end();
    }
  }
}

const SHORT: ReadonlyMap<string, string> = new Map([
  [OID.commonName, "CN"],
  ["2.5.4.6", "C"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  [OID.organization, "O"],
  ["2.5.4.11", "OU"],
  ["2.5.4.5", "serialNumber"],
  ["0.9.2342.19200300.100.1.25", "DC"],
]);

/** For people alone: a name that two libraries would show differently is nothing to decide by. */
export function showDistinguishedName(name: Uint8Array): string {
  const rdns = new DerReader(name, "name").sequence();
  const parts: string[] = [];
  while (!rdns.done()) {
    const rdn = rdns.set();
    while (!rdn.done()) {
      const pair = rdn.sequence();
      const type = pair.oid();
      const value = pair.any();
      parts.push(`${SHORT.get(type) ?? type}=${showValue(value)}`);
    }
  }
  return parts.length === 0 ? "without a name" : parts.join(", ");
}

/** PrintableString, UTF8String and IA5String all read as UTF-8; what a terminal would obey is not shown. */
function showValue(value: Uint8Array): string {
  const text = new TextDecoder().decode(new DerReader(value, "name").read(value[0] ?? 0));
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "?").slice(0, MAX_CHARACTERS);
}

function attribute(oid: string, value: string, what: string): Uint8Array {
  if (value === "" || value.length > MAX_CHARACTERS || !value.isWellFormed()) {
    throw new Malformed(`name: ${what} has between 1 and ${MAX_CHARACTERS} characters`);
  }
  return der.set(der.sequence(der.oid(oid), der.utf8String(value)));
}
