import { ed25519 } from "@noble/curves/ed25519.js";
import { concatBytes, equalBytes, utf8 } from "@chancery/encoding";
import { HASH_LENGTH, sha512 } from "./sha.ts";

/** RFC 8410, Section 4: no parameters, and the 32 octets of the point. */
export const ED25519_SPKI_PREFIX = Uint8Array.fromHex("302a300506032b6570032100");

const P = 2n ** 255n - 19n;
const L = ed25519.Point.Fn.ORDER;

/**
 * The y coordinates of the eight points whose order divides 8. Under such a key one fixed signature verifies for every
 * message (OpenSSL and Go accept it), so that proof of possession proves nothing.
 */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  1n,
  P - 1n,
  0n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]);

/** Why these 32 octets are no key to sign with, or undefined. */
export function weaknessOfEd25519(key: Uint8Array): string | undefined {
  const y = littleEndian(key) & (2n ** 255n - 1n);
  // Reduced first: y + p is a second spelling of the y below 19, small orders among them.
  if (SMALL_ORDER_Y.has(y % P)) return "the Ed25519 point is of small order";
  if (y >= P) return "the Ed25519 point is not in its canonical encoding";
  return decodePoint(key) === undefined ? "the Ed25519 point is not on the curve" : undefined;
}

/**
 * Ed25519ph with an empty context, RFC 8032, Section 5.1.7. Node has no way to OpenSSL's (Node 26).
 */
export function verifyEd25519ph(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  return digest.length === HASH_LENGTH.sha512 && verifyEd25519(key, digest, signature, DOM2_PREHASHED);
}

/** dom2(1, "") of RFC 8032, Section 2. */
const DOM2_PREHASHED = concatBytes(utf8("SigEd25519 no Ed25519 collisions"), Uint8Array.of(1, 0));

/**
 * [S]B = R + [k]A without the cofactor, and R compared as bytes: what Go and OpenSSL compute. @noble/curves would multiply
 * by the cofactor and so accept a few crafted signatures that every client of the log then refuses.
 *
 * Exported for the tests, which hold it against OpenSSL with an empty prefix.
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
  return equalBytes(expected.toBytes(), r);
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
