import { constants, publicDecrypt } from "node:crypto";
import { isMainThread } from "node:worker_threads";
import { concatBytes, equalBytes } from "@chancery/encoding";
import { P256 } from "./curve.ts";
import { DigestBatch } from "./digest-batch.ts";
import { DigestThread } from "./digest-thread.ts";
import { verifyEcdsaDigest, verifyEcdsaDigestOnPool } from "./ecdsa-digest.ts";
import { ED25519_SPKI_PREFIX, verifyEd25519ph } from "./ed25519.ts";
import { curveOf, type PublicKey } from "./public-key.ts";
import { HASH_LENGTH, type HashAlgorithm } from "./sha.ts";

/**
 * Verifies a signature when only the message's digest is at hand, as in a hashedrekord: ECDSA, RSA PKCS#1 v1.5, and
 * for Ed25519 the prehashed variant over SHA-512.
 */
export function verifyDigest(key: PublicKey, hash: HashAlgorithm, digest: Uint8Array, signature: Uint8Array): boolean {
  if (digest.length !== HASH_LENGTH[hash]) return false;
  if (key.algorithm === "ed25519") {
    return hash === "sha512" && verifyEd25519ph(key.spki.subarray(ED25519_SPKI_PREFIX.length), digest, signature);
  }
  const curve = curveOf(key.algorithm);
  return curve === undefined
    ? verifyRsaDigest(key, hash, digest, signature)
    : verifyEcdsaDigest(curve, { spki: key.spki, digest, signature });
}

/**
 * The same beside the main thread: P-256 in a thread of its own, which takes what comes together together, the larger
 * curves on libuv's pool, so that they keep none of the others waiting. Whoever lets strangers call this MUST bound how
 * many wait.
 */
export async function verifyDigestAside(
  key: PublicKey,
  hash: HashAlgorithm,
  digest: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const curve = curveOf(key.algorithm);
  if (curve === undefined || digest.length !== HASH_LENGTH[hash]) return verifyDigest(key, hash, digest, signature);
  const signed = { spki: key.spki, digest, signature };
  return await (curve === P256 ? aside.verify(signed) : verifyEcdsaDigestOnPool(curve, signed));
}

/** Who is beside the main thread already needs no other. */
const aside = isMainThread ? new DigestThread() : new DigestBatch();

/**
 * DigestInfo up to the digest itself. RFC 8017, Section 9.2, note 1; the parameters are NULL, never absent.
 */
const DIGEST_INFO: Readonly<Record<HashAlgorithm, Uint8Array>> = {
  sha256: Uint8Array.fromHex("3031300d060960864801650304020105000420"),
  sha384: Uint8Array.fromHex("3041300d060960864801650304020205000430"),
  sha512: Uint8Array.fromHex("3051300d060960864801650304020305000440"),
};

/**
 * RSASSA-PKCS1-v1_5 by comparison: the encoded message is built and compared whole (RFC 8017, Section 8.2.2), so there
 * is no padding parser for a forger to confuse (Bleichenbacher 2006).
 */
function verifyRsaDigest(key: PublicKey, hash: HashAlgorithm, digest: Uint8Array, signature: Uint8Array): boolean {
  const length = RSA_LENGTH[key.algorithm];
  if (length === undefined || signature.length !== length) return false;
  const tail = concatBytes(Uint8Array.of(0), DIGEST_INFO[hash], digest);
  const padding = new Uint8Array(length - 2 - tail.length).fill(0xff);
  const expected = concatBytes(Uint8Array.of(0, 1), padding, tail);
  return equalBytes(rsaPublicOperation(key, signature), expected);
}

const RSA_LENGTH: Readonly<Record<string, number>> = { "rsa-2048": 256, "rsa-3072": 384, "rsa-4096": 512 };

/** Empty when the signature is not below the modulus, which OpenSSL refuses. */
function rsaPublicOperation(key: PublicKey, signature: Uint8Array): Uint8Array {
  try {
    return publicDecrypt({ key: key.keyObject, padding: constants.RSA_NO_PADDING }, signature);
  } catch {
    return new Uint8Array();
  }
}
