import { concatBytes, der, DerReader, Tag } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { BackwardDer } from "./backward-der.ts";
import { type Certificate, findExtension } from "./certificate.ts";
import { wrapExtension } from "./extension.ts";
import { formatIpAddress, parseIpAddress } from "./ip-address.ts";
import { OID } from "./oid.ts";

export interface SubjectAlternativeName {
  readonly type: "email" | "uri" | "dns" | "ip" | "username";
  readonly value: string;
}

const OTHER_NAME = 0xa0;
const latin1 = new TextDecoder("latin1");
const TAGS = { email: 1, dns: 2, uri: 6, ip: 7 } as const;

/** Far above any real identity; keeps a certificate small. */
const MAX_CHARACTERS = 4096;

/**
 * The extension's value for one name.
 *
 * GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName
 * GeneralName ::= CHOICE { otherName [0] OtherName, rfc822Name [1] IA5String, dNSName [2] IA5String, …,
 *   uniformResourceIdentifier [6] IA5String, iPAddress [7] OCTET STRING, … }
 * OtherName ::= SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY }
 *
 * RFC 5280, Section 4.2.1.6. "If the subject field contains an empty sequence, then the issuing CA MUST
 * include a subjectAltName extension that is marked as critical."
 */
export function encodeSubjectAlternativeName(name: SubjectAlternativeName): Uint8Array {
  const { type, value } = name;
  if (value === "" || value.length > MAX_CHARACTERS) {
    throw new Malformed(`subject alternative name: value has between 1 and ${MAX_CHARACTERS} characters`);
  }
  if (type === "username") {
    const typed = der.explicit(0, der.utf8String(readableText(value)));
    return der.sequence(der.tlv(OTHER_NAME, concatBytes(der.oid(OID.fulcioUsername), typed)));
  }
  if (type === "ip") return der.sequence(der.implicit(TAGS.ip, parseIpAddress(value)));
  const writer = new BackwardDer(value.length + HEADERS);
  const end = writer.position;
  writer.text(readableAscii(value));
  writer.wrap(Tag.CONTEXT | TAGS[type], end);
  writer.wrap(Tag.SEQUENCE, end);
  return writer.finish();
}

/** The whole extension around {@link encodeSubjectAlternativeName}, critical. */
export function writeSubjectAlternativeName(writer: BackwardDer, names: Uint8Array): void {
  const end = writer.position;
  writer.bytes(names);
  wrapExtension(writer, end, SUBJECT_ALTERNATIVE_NAME, true);
}

const SUBJECT_ALTERNATIVE_NAME = der.oid(OID.subjectAlternativeName);
/** Two, of at most five bytes each. */
const HEADERS = 10;

/**
 * The names of a certificate, in its order. Kinds of names that nothing here issues or matches
 * (directory names, other otherNames) are passed over: they grant nothing.
 */
export function parseSubjectAlternativeNames(certificate: Certificate): SubjectAlternativeName[] {
  const extension = findExtension(certificate, OID.subjectAlternativeName);
  if (extension === undefined) return [];
  const outer = new DerReader(extension.value, "subject alternative name");
  const list = outer.sequence();
  outer.end();
  const names: SubjectAlternativeName[] = [];
  while (!list.done()) {
    const name = list.tag() === OTHER_NAME ? parseOtherName(list.read(OTHER_NAME)) : parseGeneralName(list);
    if (name !== undefined) names.push(name);
  }
  return names;
}

function parseGeneralName(list: DerReader): SubjectAlternativeName | undefined {
  const tag = list.tag();
  const type = (["email", "dns", "uri", "ip"] as const).find((kind) => tag === (0x80 | TAGS[kind]));
  if (type === undefined) {
    list.any();
    return undefined;
  }
  const content = list.read(0x80 | TAGS[type]);
  if (type === "ip") return { type, value: formatIpAddress(content) };
  return { type, value: readableAscii(latin1.decode(content)) };
}

function parseOtherName(content: Uint8Array): SubjectAlternativeName | undefined {
  const reader = new DerReader(content, "subject alternative name");
  if (reader.oid() !== OID.fulcioUsername) return undefined;
  const typed = reader.explicit(0);
  reader.end();
  if (typed === undefined) throw new Malformed("subject alternative name: user name has no value");
  const value = typed.string();
  typed.end();
  return { type: "username", value: readableText(value) };
}

/** An attacker's NUL or line break in an identity ends it early in a C string or in a log line. */
function readableAscii(value: string): string {
  if (!/^[\x20-\x7e]*$/.test(value)) throw new Malformed("subject alternative name: not printable ASCII");
  return value;
}

function readableText(value: string): string {
  if (/\p{Cc}/u.test(value) || !value.isWellFormed()) {
    throw new Malformed("subject alternative name: control characters or broken Unicode");
  }
  return value;
}
