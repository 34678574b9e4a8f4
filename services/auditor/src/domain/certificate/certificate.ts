import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { concatBytes, DerReader } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
  /** Whole, as it stands. */
  readonly raw: Uint8Array;
}

/** The fields of an X.509 certificate, RFC 5280, Section 4.1, each as its bytes stand there. */
export interface Certificate {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly version: bigint;
  readonly serial: Uint8Array;
  readonly innerAlgorithm: Uint8Array;
  readonly issuer: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
}

const MAX_BYTES = 65_536;

export function readCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_BYTES) throw new Malformed(`certificate: ${der.length} bytes`);
  const whole = new DerReader(der, "certificate");
  const certificate = whole.sequence();
  whole.end();
  const tbs = certificate.any();
  const algorithm = certificate.any();
  const { bytes: signature } = certificate.bitString();
  certificate.end();
  const fields = new DerReader(tbs, "certificate").sequence();
  const version = fields.explicit(0)?.integer() ?? 0n;
  const serial = fields.integerBytes();
  const [innerAlgorithm, issuer, validity] = [fields.any(), fields.any(), fields.sequence()];
  const [notBefore, notAfter] = [validity.time(), validity.time()];
  validity.end();
  const [subject, spki] = [fields.any(), fields.any()];
  const extensions = readExtensions(fields);
  fields.end();
  return {
    der,
    tbs,
    version,
    serial,
    innerAlgorithm,
    issuer,
    notBefore,
    notAfter,
    subject,
    spki,
    extensions,
    algorithm,
    signature,
  };
}

/** Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
function readExtensions(fields: DerReader): Extension[] {
  const list = fields.explicit(3)?.sequence();
  const extensions: Extension[] = [];
  if (list === undefined) return extensions;
  while (!list.done()) {
    const raw = list.any();
    const extension = new DerReader(raw, "extension").sequence();
    const oid = extension.oid();
    const critical = extension.tag() === 0x01 && extension.boolean();
    const value = extension.octetString();
    extension.end();
    extensions.push({ oid, critical, value, raw });
  }
  return extensions;
}

export function extensionOf({ extensions }: Certificate, oid: string): Extension | undefined {
  return extensions.find((extension) => extension.oid === oid);
}

/** The TBS without one extension: what an SCT is about, RFC 6962, Sections 3.2 and 3.3. Everything else as it stands. */
export function tbsWithout(certificate: Certificate, oid: string): Uint8Array {
  const fields = new DerReader(certificate.tbs, "certificate").sequence();
  const before: Uint8Array[] = [];
  while (!fields.done() && fields.tag() !== 0xa3) before.push(fields.any());
  const kept = certificate.extensions.filter((extension) => extension.oid !== oid).map(({ raw }) => raw);
  const extensions = wrap(0xa3, wrap(0x30, ...kept));
  return wrap(0x30, ...before, extensions);
}

/** A definite length in its shortest form, X.690, Section 10.1. */
function wrap(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const inside = concatBytes(...content);
  const { length } = inside;
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  if (length > 0xffff) throw new Malformed(`certificate: ${length} bytes`);
  return concatBytes(Uint8Array.of(tag, ...octets), inside);
}

export function keyOf({ spki }: Pick<Certificate, "spki">): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
}

/** AlgorithmIdentifier → hash; RFC 5758, Section 3.2; RFC 4055, Section 5; RFC 8410, Section 3. */
const HASHES: Readonly<Record<string, string | null>> = {
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.3.101.112": null,
};

export function isSignedBy(certificate: Certificate, issuer: KeyObject): boolean {
  const oid = new DerReader(certificate.algorithm, "signature algorithm").sequence().oid();
  const algorithm = HASHES[oid];
  if (algorithm === undefined) return false;
  return verify(algorithm, certificate.tbs, issuer, certificate.signature);
}

export interface AlternativeName {
  readonly type: "email" | "dns" | "uri" | "username";
  readonly value: string;
}

/** GeneralName: rfc822Name [1], dNSName [2], uniformResourceIdentifier [6], RFC 5280, Section 4.2.1.6. */
const NAME_TYPES: ReadonlyMap<number | undefined, AlternativeName["type"]> = new Map([
  [0x81, "email"],
  [0x82, "dns"],
  [0x86, "uri"],
]);

/** Names in a SAN: e-mail addresses, URIs, DNS names, and Fulcio's user names. */
export function alternativeNames(certificate: Certificate): string[] {
  return typedNames(certificate).map(({ value }) => value);
}

export function typedNames(certificate: Certificate): AlternativeName[] {
  const extension = extensionOf(certificate, "2.5.29.17");
  if (extension === undefined) return [];
  const names = new DerReader(extension.value, "subject alternative name").sequence();
  const found: AlternativeName[] = [];
  while (!names.done()) {
    const tag = names.tag();
    const type = NAME_TYPES.get(tag);
    if (tag !== undefined && type !== undefined) {
      found.push({ type, value: Buffer.from(names.read(tag)).toString("utf8") });
    } else if (tag === 0xa0) found.push(...userNames(names.open(0xa0)));
    else names.any();
  }
  return found;
}

/** Fulcio's own, of all the names that an otherName can be: others (a UPN, a Kerberos principal) are no identity here. */
const USER_NAME = "1.3.6.1.4.1.57264.1.7";

/** otherName [0] { type-id OBJECT IDENTIFIER, value [0] EXPLICIT UTF8String } */
function userNames(other: DerReader): AlternativeName[] {
  if (other.oid() !== USER_NAME) return [];
  const value = other.explicit(0)?.string();
  return value === undefined ? [] : [{ type: "username", value }];
}
