import { constants, type KeyObject, verify, type VerifyKeyObjectInput } from "node:crypto";
import { isMainThread } from "node:worker_threads";
import { defaultHash } from "./algorithm.ts";
import { messageThread } from "./message-thread.ts";
import { curveOf, type PublicKey } from "./public-key.ts";
import type { HashAlgorithm } from "./sha.ts";
import { type SignedMessage, verifySignedMessage } from "./signed-message.ts";
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

/**
 * The same beside the main thread: P-256 in a thread of its own, which takes what comes together together, all else on
 * libuv's pool. Whoever lets strangers call this MUST bound how many wait.
 */
export function verifySignatureAside(key: PublicKey, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (key.algorithm !== "ecdsa-p256") return verifySignatureOnPool(key, message, signature);
  return verifyMessageAside({ scheme: "ecdsa-p256", hash: "sha256", spki: key.spki, message, signature });
}

/** The same of a key that is at hand as DER. It MUST be one that verifies in some 100 µs: others wait for it. */
export async function verifyMessageAside(signed: SignedMessage): Promise<boolean> {
  return await (isMainThread ? aside.verify(signed) : verifySignedMessage(signed));
}

const aside = messageThread();

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
