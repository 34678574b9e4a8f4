import { ed25519 } from "@noble/curves/ed25519.js";
import { concatBytes, equalBytes, utf8 } from "@chancery/encoding";
import { HASH_LENGTH, sha512 } from "./sha.ts";

/** RFC 8410, Section 4: no parameters, and the 32 octets of the point. */
export const ED25519_SPKI_PREFIX = Uint8Array.fromHex("302a300506032b6570032100");

const L = ed25519.Point.Fn.ORDER;

/**
 * Why these 32 octets are no key to sign with, or undefined.
 *
 * Under a key of small order (1, 2, 4 or 8) one fixed signature verifies for every message, in most implementations:
 * proof of possession proves nothing. y + p is a second spelling of the y below 19, and a sign on x = 0 one of that x;
 * both would let one key have two names.
 */
export function weaknessOfEd25519(key: Uint8Array): string | undefined {
  const point = decodePoint(key);
  if (point === undefined) return "no point of Ed25519 in its canonical encoding";
  return point.isSmallOrder() ? "the Ed25519 point is of small order" : undefined;
}

/**
 * Ed25519ph with an empty context, RFC 8032, Section 5.1: what Rekor v2 takes in a hashedrekord. OpenSSL has it and
 * Node has no way to ask for it.
 */
export function verifyEd25519ph(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  return digest.length === HASH_LENGTH.sha512 && verifyEd25519(key, digest, signature, DOM2_PREHASHED);
}

/** dom2(1, "") of RFC 8032, Section 2. */
const DOM2_PREHASHED = concatBytes(utf8("SigEd25519 no Ed25519 collisions"), Uint8Array.of(1, 0));

/**
 * RFC 8032, Section 5.1.7 without the cofactor, R compared as bytes, as Go and OpenSSL do; an R of small order is
 * refused, as Node 26 does. @noble/curves' own verify multiplies by the cofactor, and would log a few crafted
 * signatures that the log's clients then refuse. 1.2 ms.
 *
 * Exported for the tests, which hold it against OpenSSL's pure Ed25519: the same equation with an empty prefix.
 */
export function verifyEd25519(
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  prefix: Uint8Array = new Uint8Array(),
): boolean {
  if (signature.length !== 64) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const a = decodePoint(key);
  if (s >= L || a === undefined) return false;
  const k = littleEndian(sha512(concatBytes(prefix, r, key, message))) % L;
  const expected = ed25519.Point.BASE.multiplyUnsafe(s).add(a.negate().multiplyUnsafe(k));
  return !expected.isSmallOrder() && equalBytes(expected.toBytes(), r);
}

function decodePoint(bytes: Uint8Array): InstanceType<typeof ed25519.Point> | undefined {
  try {
    return ed25519.Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toReversed().toHex()}`);
}
