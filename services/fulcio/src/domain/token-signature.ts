import { compactVerify, type createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import type { UnverifiedToken } from "./identity-token.ts";

/** The public keys of one issuer. */
export type KeySet = ReturnType<typeof createLocalJWKSet>;

/**
 * Whether a key of the set verifies the token. The algorithm is the one the token was let in with, and
 * jose takes only keys whose type fits it.
 */
export async function isSignedBy(token: UnverifiedToken, keys: KeySet): Promise<boolean> {
  try {
    await compactVerify(token.compact, keys as JWTVerifyGetKey, { algorithms: [token.algorithm] });
    return true;
  } catch (error) {
    // A set may hold several keys that fit, and a token need not name one (RFC 7515, Section 4.1.4).
    if (error instanceof errors.JWKSMultipleMatchingKeys) return isSignedByAny(token, error);
    return false;
  }
}

/** An issuer rotates two or three keys; a set of thousands would make one token cost as many verifications. */
const MAX_CANDIDATES = 16;

async function isSignedByAny(token: UnverifiedToken, candidates: AsyncIterable<CryptoKey>): Promise<boolean> {
  let tried = 0;
  for await (const key of candidates) {
    if (++tried > MAX_CANDIDATES) return false;
    try {
      await compactVerify(token.compact, key, { algorithms: [token.algorithm] });
      return true;
    } catch {
      // The next one may fit.
    }
  }
  return false;
}
