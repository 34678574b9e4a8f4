import { constants, verify } from "node:crypto";
import { defaultHash } from "./algorithm.ts";
import { curveOf, type PublicKey } from "./public-key.ts";
import type { HashAlgorithm } from "./sha.ts";

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
  if (key.algorithm === "ed25519") return verify(null, message, key.keyObject, signature);
  if (curveOf(key.algorithm) !== undefined) {
    return verify(hash, message, { key: key.keyObject, dsaEncoding: "der" }, signature);
  }
  return verify(hash, message, { key: key.keyObject, padding: constants.RSA_PKCS1_PADDING }, signature);
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
