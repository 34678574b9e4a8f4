import { DerReader, decodeHex } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { parsePublicKey, type PublicKey } from "../proof/public-key.ts";
import { digestOf, type DigestAlgorithm, verifyDigest, verifyMessage } from "../proof/signature.ts";
import { FULCIO_EXTENSION_NAMES, type FulcioExtensionName } from "./fulcio-extensions.ts";

export interface SubjectName {
  readonly type: "email" | "uri" | "dns" | "other";
  readonly value: string;
}

/** What a reader wants to know of a certificate (RFC 5280), and what verifying it needs. */
export interface Certificate {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  readonly serial: string;
  readonly issuer: string;
  readonly subject: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly key: PublicKey;
  readonly sans: readonly SubjectName[];
  readonly claims: Readonly<Partial<Record<FulcioExtensionName, string>>>;
  /** DER of the issuer's Name and of the serial number's magnitude: by these two CMS names a certificate. */
  readonly issuerName: Uint8Array;
  readonly serialNumber: Uint8Array;
  readonly extendedKeyUsages: readonly string[];
  /** The certificate logs' timestamps, still encoded. RFC 6962, Section 3.3. */
  readonly sctList: Uint8Array | undefined;
}

const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
const EXTENDED_KEY_USAGE = "2.5.29.37";
export const SCT_LIST = "1.3.6.1.4.1.11129.2.4.2";
const FULCIO_USERNAME = "1.3.6.1.4.1.57264.1.7";

export function parseCertificate(der: Uint8Array, field: string): Certificate {
  const outer = new DerReader(der, field);
  const certificate = outer.sequence();
  outer.end();
  const tbs = certificate.any();
  const signatureAlgorithm = certificate.sequence().oid();
  const signature = certificate.bitString().bytes;
  certificate.end();
  const inside = new DerReader(tbs, field).sequence();
  if (inside.tag() === 0xa0) inside.any();
  const serialNumber = inside.integerBytes();
  inside.any();
  const issuerName = inside.any();
  const validity = inside.sequence();
  const [notBefore, notAfter] = [validity.time(), validity.time()];
  const subject = distinguishedName(inside.any(), field);
  const key = parsePublicKey(inside.any(), `${field}: key`);
  while (!inside.done() && inside.tag() !== 0xa3) inside.any();
  const extensions = inside.done() ? new Map<string, Uint8Array>() : readExtensions(inside.open(0xa3), field);
  return {
    der,
    tbs,
    signatureAlgorithm,
    signature,
    serial: serialNumber.toHex(),
    issuer: distinguishedName(issuerName, field),
    subject,
    notBefore,
    notAfter,
    key,
    sans: readNames(extensions.get(SUBJECT_ALTERNATIVE_NAME), field),
    claims: readClaims(extensions),
    issuerName,
    serialNumber,
    extendedKeyUsages: readUsages(extensions.get(EXTENDED_KEY_USAGE), field),
    sctList: extensions.get(SCT_LIST),
  };
}

/** Of the signature algorithms that name their hash. */
export const SIGNATURE_HASHES: Readonly<Record<string, DigestAlgorithm>> = {
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
};

/** Whether this key signed this certificate. */
export async function isSignedBy(certificate: Certificate, key: PublicKey): Promise<boolean> {
  if (key.algorithm === "Ed25519") return await verifyMessage(key, certificate.tbs, certificate.signature);
  const hash = SIGNATURE_HASHES[certificate.signatureAlgorithm];
  return hash !== undefined && verifyDigest(key, hash, digestOf(hash, certificate.tbs), certificate.signature);
}

function readExtensions(wrapper: DerReader, field: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const list = wrapper.sequence();
  while (!list.done()) {
    const extension = list.sequence();
    const oid = extension.oid();
    if (extension.tag() === 0x01) extension.boolean();
    if (found.has(oid)) throw new Malformed(`${field}: has an extension twice`);
    found.set(oid, extension.octetString());
  }
  return found;
}

function readUsages(value: Uint8Array | undefined, field: string): string[] {
  if (value === undefined) return [];
  const list = new DerReader(value, `${field}: usages`).sequence();
  const usages: string[] = [];
  while (!list.done()) usages.push(list.oid());
  return usages;
}

/** GeneralNames: rfc822Name [1], dNSName [2], URI [6], and Fulcio's otherName [0] of a user name. */
function readNames(value: Uint8Array | undefined, field: string): SubjectName[] {
  if (value === undefined) return [];
  const names = new DerReader(value, `${field}: names`).sequence();
  const found: SubjectName[] = [];
  while (!names.done()) {
    const tag = names.tag();
    if (tag === 0x81) found.push({ type: "email", value: text(names.read(0x81)) });
    else if (tag === 0x82) found.push({ type: "dns", value: text(names.read(0x82)) });
    else if (tag === 0x86) found.push({ type: "uri", value: text(names.read(0x86)) });
    else if (tag === 0xa0) found.push(userName(names.open(0xa0)));
    else found.push({ type: "other", value: names.any().toHex() });
  }
  return found;
}

function userName(name: DerReader): SubjectName {
  const oid = name.oid();
  const value = name.open(0xa0);
  return { type: "other", value: oid === FULCIO_USERNAME ? value.string() : value.any().toHex() };
}

function readClaims(extensions: ReadonlyMap<string, Uint8Array>): Certificate["claims"] {
  const claims: Partial<Record<FulcioExtensionName, string>> = {};
  for (const { name, oid, encoding } of FULCIO_EXTENSION_NAMES) {
    const value = extensions.get(oid);
    if (value !== undefined) claims[name] = encoding === "raw" ? text(value) : new DerReader(value, name).string();
  }
  return claims;
}

const NAME_PARTS: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
};

/** `O=example.com, CN=intermediate`, in the order in which it stands there. */
function distinguishedName(der: Uint8Array, field: string): string {
  const sets = new DerReader(der, field).sequence();
  const parts: string[] = [];
  while (!sets.done()) {
    const attributes = sets.set();
    while (!attributes.done()) {
      const attribute = attributes.sequence();
      const oid = attribute.oid();
      const value = new DerReader(attribute.any(), field);
      parts.push(`${NAME_PARTS[oid] ?? oid}=${text(value.read(value.tag() ?? 0))}`);
    }
  }
  return parts.join(", ");
}

/** What is not UTF-8 is shown with replacement characters: it is looked at, not compared. */
function text(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** `3A:7F:…`, as other tools print serial numbers. */
export function serialText(serial: string): string {
  return decodeHex(serial, "serial")
    .toHex()
    .toUpperCase()
    .replace(/(..)(?=.)/g, "$1:");
}
