import { parsePublicKey, type PublicKey } from "@chancery/crypto";
import { checkDer, DerReader, equalBytes, parsePem } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { assertDistinguishedName } from "./distinguished-name.ts";
import type { Extension } from "./extension.ts";
import { algorithmOid } from "./signature-algorithm.ts";

/** An X.509 certificate as its bytes say; nothing about it is verified. */
export interface Certificate {
  readonly der: Uint8Array;
  /** The signed part, DER. */
  readonly tbs: Uint8Array;
  /** Big-endian without sign octet. */
  readonly serial: Uint8Array;
  readonly signatureAlgorithm: string;
  /** The whole AlgorithmIdentifier, DER. */
  readonly signatureAlgorithmIdentifier: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly signature: Uint8Array;
}

/** A Fulcio leaf has 1 to 3 kB; a post-quantum root stays below this. */
const MAX_CERTIFICATE_BYTES = 64 * 1024;
const MAX_EXTENSIONS = 128;
const MAX_SERIAL_BYTES = 20;

/**
 * Certificate ::= SEQUENCE {
 *   tbsCertificate TBSCertificate, signatureAlgorithm AlgorithmIdentifier, signatureValue BIT STRING }
 *
 * RFC 5280, Section 4.1, from strict DER: two spellings of one certificate are never both accepted.
 * The clock is not asked; see `isValidAt`.
 */
export function parseCertificate(bytes: Uint8Array, field: string): Certificate {
  assertLength(bytes, field);
  // Read from a copy, so that no caller can change what was checked.
  return parseOwnCertificate(new Uint8Array(bytes), field);
}

/** The same of bytes that were decoded just now, and that nobody else has or will change: a copy takes 0.7 µs. */
export function parseOwnCertificate(input: Uint8Array, field: string): Certificate {
  assertLength(input, field);
  const outer = new DerReader(input, field);
  const certificate = outer.sequence();
  const tbs = certificate.any();
  const signatureAlgorithmIdentifier = certificate.any();
  const signature = wholeOctets(certificate.bitString(), field);
  certificate.end();
  outer.end();
  const fields = parseTbs(tbs, field);
  // RFC 5280, Section 4.1.1.2: "This field MUST contain the same algorithm identifier as the signature field".
  if (!equalBytes(fields.innerAlgorithm, signatureAlgorithmIdentifier)) {
    throw new Malformed(`${field}: the two signature algorithms of the certificate differ`);
  }
  const { innerAlgorithm: _checked, ...rest } = fields;
  const signatureAlgorithm = algorithmOid(signatureAlgorithmIdentifier, field);
  return { der: input, tbs, ...rest, signatureAlgorithm, signatureAlgorithmIdentifier, signature };
}

/** One or more CERTIFICATE blocks, in the order given. */
export function parseCertificatesPem(text: string, field: string, limits?: { max?: number }): Certificate[] {
  const blocks = parsePem(text, field, { labels: ["CERTIFICATE"], max: limits?.max ?? 10 });
  if (blocks.length === 0) throw new Malformed(`${field}: no certificate`);
  return blocks.map((block) => parseOwnCertificate(block.der, field));
}

function assertLength(bytes: Uint8Array, field: string): void {
  if (bytes.length > MAX_CERTIFICATE_BYTES) {
    throw new Malformed(`${field}: certificate has more than ${MAX_CERTIFICATE_BYTES} bytes`);
  }
}

export function findExtension(certificate: Certificate, oid: string): Extension | undefined {
  return certificate.extensions.find((extension) => extension.oid === oid);
}

export function certificatePublicKey(certificate: Certificate): PublicKey {
  return parsePublicKey(certificate.spki, "certificate public key");
}

/** RFC 5280, Section 4.1.2.5: both ends belong to the validity period. */
export function isValidAt(certificate: Certificate, time: Date): boolean {
  return certificate.notBefore <= time && time <= certificate.notAfter;
}

/**
 * TBSCertificate ::= SEQUENCE {
 *   version [0] EXPLICIT INTEGER DEFAULT v1, serialNumber INTEGER, signature AlgorithmIdentifier, issuer Name,
 *   validity SEQUENCE { notBefore Time, notAfter Time }, subject Name, subjectPublicKeyInfo SubjectPublicKeyInfo,
 *   issuerUniqueID [1] IMPLICIT …, subjectUniqueID [2] IMPLICIT …, extensions [3] EXPLICIT Extensions OPTIONAL }
 */
function parseTbs(bytes: Uint8Array, field: string) {
  const tbs = new DerReader(bytes, field).sequence();
  const version = parseVersion(tbs, field);
  const serial = parseSerial(tbs, field);
  const innerAlgorithm = wholeValue(tbs, field);
  const issuer = parseName(tbs, field);
  const validity = tbs.sequence();
  const [notBefore, notAfter] = [validity.time(), validity.time()];
  validity.end();
  const subject = parseName(tbs, field);
  const spki = wholeValue(tbs, field);
  const extensions = parseExtensions(tbs.explicit(3), field);
  // RFC 5280, Section 4.1.2.8: "CAs conforming to this profile MUST NOT generate certificates with unique identifiers."
  tbs.end();
  if (extensions.length > 0 && version !== 3) {
    throw new Malformed(`${field}: a certificate of version ${version} has extensions`);
  }
  return { serial, innerAlgorithm, issuer, notBefore, notAfter, subject, spki, extensions };
}

/** A part that is kept as bytes: strict DER to its leaves, for no one else reads it all. */
function wholeValue(tbs: DerReader, field: string): Uint8Array {
  const value = tbs.any();
  checkDer(value, field);
  return value;
}

function parseVersion(tbs: DerReader, field: string): number {
  const explicit = tbs.explicit(0);
  if (explicit === undefined) return 1;
  const version = explicit.integer();
  explicit.end();
  // 0 is the default, which DER leaves out.
  if (version !== 1n && version !== 2n) throw new Malformed(`${field}: certificate version is not 1, 2 or 3`);
  return Number(version) + 1;
}

/** RFC 5280, Section 4.1.2.2. Zero is tolerated: roots with it are about. */
function parseSerial(tbs: DerReader, field: string): Uint8Array {
  const content = tbs.integerBytes();
  const first = content[0] ?? 0;
  if (first >= 0x80) throw new Malformed(`${field}: certificate serial number is negative`);
  const serial = first === 0 && content.length > 1 ? content.subarray(1) : content;
  if (serial.length > MAX_SERIAL_BYTES) {
    throw new Malformed(`${field}: certificate serial number is longer than ${MAX_SERIAL_BYTES} bytes`);
  }
  return serial;
}

function parseName(tbs: DerReader, field: string): Uint8Array {
  const name = tbs.any();
  if (equalBytes(name, lastName)) return name;
  checkDer(name, field);
  assertDistinguishedName(new DerReader(name, field).sequence());
  if (name.length > EMPTY_NAME_LENGTH) lastName = name.slice();
  return name;
}

/** Certificates that are read one after the other are of one issuer, most often: what was a Name is one again. */
let lastName: Uint8Array = new Uint8Array();
const EMPTY_NAME_LENGTH = 2;

/** RFC 5280, Section 4.2: "A certificate MUST NOT include more than one instance of a particular extension." */
function parseExtensions(explicit: DerReader | undefined, field: string): readonly Extension[] {
  if (explicit === undefined) return [];
  const list = explicit.sequence();
  explicit.end();
  if (list.done()) throw new Malformed(`${field}: extension list is empty`);
  const extensions: Extension[] = [];
  const seen = new Set<string>();
  while (!list.done()) {
    const extension = parseExtension(list.sequence(), field);
    if (seen.has(extension.oid)) throw new Malformed(`${field}: extension ${extension.oid} is there twice`);
    seen.add(extension.oid);
    extensions.push(extension);
    if (extensions.length > MAX_EXTENSIONS) throw new Malformed(`${field}: more than ${MAX_EXTENSIONS} extensions`);
  }
  return extensions;
}

function parseExtension(reader: DerReader, field: string): Extension {
  const oid = reader.oid();
  const critical = reader.tag() === 0x01 && parseCritical(reader, field);
  const value = reader.octetString();
  reader.end();
  return { oid, critical, value };
}

function parseCritical(reader: DerReader, field: string): boolean {
  if (!reader.boolean()) throw new Malformed(`${field}: an extension spells out the default of critical`);
  return true;
}

function wholeOctets(bits: { bytes: Uint8Array; unusedBits: number }, field: string): Uint8Array {
  if (bits.unusedBits !== 0) throw new Malformed(`${field}: signature is not a whole number of bytes`);
  return bits.bytes;
}
