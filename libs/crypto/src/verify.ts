import { constants, type KeyObject, verify, type VerifyKeyObjectInput } from "node:crypto";
import { defaultHash } from "./algorithm.ts";
import { curveOf, type PublicKey } from "./public-key.ts";
import type { HashAlgorithm } from "./sha.ts";
import { verifyOnPool } from "./verify-on-pool.ts";

/**
 * ECDSA with the signature in strict DER (RFC 3279, Section 2.2.3), RSASSA-PKCS1-v1_5, or pure Ed25519, which takes no
 * hash.
 *
 * ECDSA's high s is valid here, because clients emit it. So whoever sees a signature (r, s) can make a second, (r, n −
 * s), and log it: two entries, one signer.
 */
export function verifySignature(
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
  hash: HashAlgorithm = defaultHash(key.algorithm),
): boolean {
  return verify(key.algorithm === "ed25519" ? null : hash, message, scheme(key), signature);
}

/**
 * The same on libuv's thread pool: 7 µs of the caller's thread, of 50 to 90 that a P-256 verification takes, and
 * another processor if there is one. Whoever lets strangers call this MUST bound how many wait.
 */
export function verifySignatureOnPool(
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
  hash: HashAlgorithm = defaultHash(key.algorithm),
): Promise<boolean> {
  return verifyOnPool(key.algorithm === "ed25519" ? null : hash, message, scheme(key), signature);
}

function scheme({ algorithm, keyObject: key }: PublicKey): KeyObject | VerifyKeyObjectInput {
  if (algorithm === "ed25519") return key;
  if (curveOf(algorithm) !== undefined) return { key, dsaEncoding: "der" };
  return { key, padding: constants.RSA_PKCS1_PADDING };
}

/** ECDSA with r and s side by side (IEEE P1363, Annex D.5.2), as WebCrypto and JOSE write it; false for other keys. */
export function verifySignatureP1363(
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
  hash: HashAlgorithm = defaultHash(key.algorithm),
): boolean {
  const curve = curveOf(key.algorithm);
  if (curve === undefined || signature.length !== 2 * curve.width) return false;
  return verify(hash, message, { key: key.keyObject, dsaEncoding: "ieee-p1363" }, signature);
}
