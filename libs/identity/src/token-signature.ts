import { constants, KeyObject, verify, type VerifyKeyObjectInput } from "node:crypto";
import { type createLocalJWKSet, errors } from "jose";
import type { UnverifiedToken } from "./identity-token.ts";

/** The public keys of one issuer. */
export type KeySet = ReturnType<typeof createLocalJWKSet>;

/**
 * Whether a key of the set verifies the token. jose chooses the key, and only one whose type, curve, use and ID fit the
 * algorithm that the token was let in with; node:crypto verifies on its thread pool: 35 µs where jose's way through
 * WebCrypto took 110.
 */
export async function isSignedBy(token: UnverifiedToken, keys: KeySet): Promise<boolean> {
  const header = { alg: token.algorithm, ...(token.keyId === undefined ? {} : { kid: token.keyId }) };
  try {
    return await isSignedByKey(token, await keys(header));
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
      if (await isSignedByKey(token, key)) return true;
    } catch {
      // The next one may fit.
    }
  }
  return false;
}

/** RFC 7518, Section 3.1, and RFC 8037, Section 3.1. */
const SCHEMES: Readonly<Record<string, { hash: string | null; options: Omit<VerifyKeyObjectInput, "key"> }>> = {
  RS256: pkcs1("sha256"),
  RS384: pkcs1("sha384"),
  RS512: pkcs1("sha512"),
  PS256: pss("sha256"),
  PS384: pss("sha384"),
  PS512: pss("sha512"),
  ES256: ecdsa("sha256"),
  ES384: ecdsa("sha384"),
  ES512: ecdsa("sha512"),
  EdDSA: { hash: null, options: {} },
};

function pkcs1(hash: string) {
  return { hash, options: { padding: constants.RSA_PKCS1_PADDING } };
}

/** Section 3.5: "The size of the salt value is the same size as the hash function output." */
function pss(hash: string) {
  return {
    hash,
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  };
}

function ecdsa(hash: string) {
  return { hash, options: { dsaEncoding: "ieee-p1363" as const } };
}

/** Section 3.3: "A key of size 2048 bits or larger MUST be used with these algorithms." */
const FEWEST_RSA_BITS = 2048;

function isSignedByKey(token: UnverifiedToken, cryptoKey: CryptoKey): Promise<boolean> {
  const scheme = SCHEMES[token.algorithm];
  const key = keyObject(cryptoKey);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? FEWEST_RSA_BITS;
  if (scheme === undefined || bits < FEWEST_RSA_BITS) return Promise.resolve(false);
  const signed = Buffer.from(token.compact.slice(0, token.compact.lastIndexOf(".")), "latin1");
  return new Promise((resolve, reject) => {
    verify(scheme.hash, signed, { key, ...scheme.options }, token.signature, (error, valid) => {
      if (error === null) resolve(valid);
      else reject(error);
    });
  });
}

const keyObjects = new WeakMap<CryptoKey, KeyObject>();

function keyObject(key: CryptoKey): KeyObject {
  const known = keyObjects.get(key);
  if (known !== undefined) return known;
  const made = KeyObject.from(key);
  keyObjects.set(key, made);
  return made;
}
