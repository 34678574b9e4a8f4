import { setImmediate } from "node:timers/promises";
import { concatBytes, encodeHex, equalBytes } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { enums, SignaturePacket } from "openpgp";
import type { VerificationBudget } from "../verification-budget.ts";
import { type PgpPacket, readSubpackets } from "./pgp-packet.ts";
import { type PgpKey, verificationKey } from "./pgp-public-key.ts";

/** A signature as its bytes say; nothing about it is verified. */
export interface PgpSignature {
  readonly packet: SignaturePacket;
  readonly source: PgpPacket;
  readonly type: number;
  /** Seconds since 1970. */
  readonly created: number;
  readonly issuerKeyId: string | undefined;
  readonly issuerFingerprint: string | undefined;
}

/** Signature types of RFC 9580, Section 5.2.1. */
export const PgpSignatureType = {
  BINARY: 0x00,
  TEXT: 0x01,
  CERTIFICATIONS: [0x10, 0x11, 0x12, 0x13, 0x30],
  CERTIFICATION_REVOCATION: 0x30,
  SUBKEY_BINDING: 0x18,
  PRIMARY_KEY_BINDING: 0x19,
  KEY_REVOCATION: 0x20,
  SUBKEY_REVOCATION: 0x28,
} as const;

/** RSA, DSA, ECDSA, EdDSA, Ed25519, Ed448. */
const ALGORITHMS = new Set([1, 3, 17, 19, 22, 27, 28]);
/** SHA-1, the SHA-2 and the SHA-3 family: what is made with MD5 or RIPEMD-160 upstream cannot read. */
const HASHES = new Set([2, 8, 9, 10, 11, 12, 14]);
/** Subpackets that upstream understands. */
const SUBPACKETS = new Set([2, 3, 4, 5, 6, 9, 11, 16, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 35, 39]);
const EXPORTABLE = 4;
const NO_KEY_ID = "0000000000000000";

/**
 * Undefined for what upstream passes over: another version than 4, an algorithm or a critical subpacket that it does not
 * know, a certification that is not to be exported.
 */
export function readPgpSignature(source: PgpPacket, field: string): PgpSignature | undefined {
  const { body } = source;
  const [version, type = 0, algorithm = 0, hash = 0] = body;
  if (version !== 4 || !ALGORITHMS.has(algorithm) || !HASHES.has(hash)) return undefined;
  const hashedLength = uint16(body, 4);
  for (const subpacket of readSubpackets(body.subarray(6, 6 + hashedLength), field)) {
    const kind = (subpacket[0] ?? 0) & 0x7f;
    if ((subpacket[0] ?? 0) >= 0x80 && !SUBPACKETS.has(kind)) return undefined;
    if (kind === EXPORTABLE && subpacket[1] === 0) return undefined;
  }
  const packet = new SignaturePacket();
  try {
    packet.read(body);
  } catch (cause) {
    throw new Malformed(`${field}: not an OpenPGP signature of a known kind`, { cause });
  }
  if (!equalBytes(wholeOctets(packet.write()), wholeOctets(body)))
    throw new Malformed(`${field}: not a canonical OpenPGP signature`);
  if (packet.created === null) throw new Malformed(`${field}: an OpenPGP signature without a time`);
  const keyId = packet.issuerKeyID.toHex();
  return {
    packet,
    source,
    type,
    created: Math.floor(packet.created.getTime() / 1000),
    issuerKeyId: keyId === NO_KEY_ID ? undefined : keyId,
    issuerFingerprint: packet.issuerFingerprint === null ? undefined : encodeHex(packet.issuerFingerprint),
  };
}

/**
 * The body with the bit lengths of its numbers rounded up to octets. All else has one spelling: lengths as short as they
 * can be, nothing after the numbers. Bit lengths are let off because Go's older OpenPGP, and so Helm, wrote those of RSA
 * signatures too large.
 */
function wholeOctets(body: Uint8Array): Uint8Array {
  const rounded = Uint8Array.from(body);
  if (!NUMBERS.has(body[2] ?? 0)) return rounded;
  const unhashedAt = 6 + uint16(body, 4);
  // After the unhashed subpackets, two octets of the digest.
  for (let at = unhashedAt + 2 + uint16(body, unhashedAt) + 2; at + 2 <= body.length;) {
    const octets = Math.ceil(uint16(body, at) / 8);
    rounded.set([(octets * 8) >> 8, (octets * 8) & 0xff], at);
    at += 2 + octets;
  }
  return rounded;
}

/** Algorithms whose signatures are numbers, MPIs. */
const NUMBERS = new Set([1, 3, 17, 19, 22]);

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function isIssuedBy({ issuerFingerprint, issuerKeyId }: PgpSignature, key: PgpKey): boolean {
  return issuerFingerprint === undefined ? issuerKeyId === key.keyId : issuerFingerprint === key.fingerprint;
}

/** What a signature is over: a key with a user ID, with a subkey or alone, or an artifact. */
export type PgpSigned =
  | { readonly key: PgpKey; readonly userId: Uint8Array }
  | { readonly key: PgpKey; readonly subkey?: PgpKey }
  | { readonly artifact: Uint8Array };

/**
 * RFC 9580, Section 5.2.4, by OpenPGP.js, which takes SHA-1 for a key's signatures on itself and not for those on an
 * artifact: for the latter someone else may have chosen what collides.
 */
export async function verifyPgpSignature(
  { packet, created }: PgpSignature,
  by: PgpKey,
  signed: PgpSigned,
  field: string,
  budget: VerificationBudget,
): Promise<void> {
  budget.spend(verificationKey(by, field), field);
  const type = packet.signatureType ?? enums.signature.binary;
  // A text is signed with CRLF at its line ends. The library would take 300 ms for those of seven megabytes; given the
  // bytes that are signed it need not look, and what is hashed after them says itself that they are a text's.
  const isText = type === enums.signature.text && "artifact" in signed;
  const data = isText ? { artifact: await withCrlf(signed.artifact) } : signed;
  const read = isText ? enums.signature.binary : type;
  try {
    await packet.verify(by.packet, read, dataOf(data), new Date(created * 1000), "artifact" in signed);
  } catch (cause) {
    throw new Unverified(`${field}: signature does not verify with this key`, { cause });
  }
}

const CR = 0x0d;
const LF = 0x0a;

const PIECE = 512 * 1024;

/** Each LF without a CR before it gets one; piece by piece, so that others get their turn. */
async function withCrlf(text: Uint8Array): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < text.length; start += PIECE) {
    const end = Math.min(start + PIECE, text.length);
    const converted = new Uint8Array(2 * (end - start));
    let length = 0;
    for (let at = start; at < end; at++) {
      if (text[at] === LF && text[at - 1] !== CR) converted[length++] = CR;
      converted[length++] = text[at] ?? 0;
    }
    pieces.push(converted.subarray(0, length));
    if (end < text.length) await setImmediate();
  }
  return concatBytes(...pieces);
}

function dataOf(signed: PgpSigned): object {
  if ("artifact" in signed) return { text: null, getBytes: () => signed.artifact };
  if ("userId" in signed) return { key: signed.key.packet, userID: { write: () => signed.userId } };
  return { key: signed.key.packet, bind: signed.subkey?.packet };
}

export function hasExpired({ packet, created }: PgpSignature, at: number): boolean {
  if (created > at) return true;
  const lifetime = packet.signatureExpirationTime ?? 0;
  return lifetime !== 0 && at > created + lifetime;
}
