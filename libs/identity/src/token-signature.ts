import { constants, KeyObject, type VerifyKeyObjectInput } from "node:crypto";
import { type HashAlgorithm, verifyMessageAside, verifyOnPool } from "@chancery/crypto";
import { type createLocalJWKSet, errors } from "jose";
import type { UnverifiedToken } from "./identity-token.ts";

/** The public keys of one issuer. */
export type KeySet = ReturnType<typeof createLocalJWKSet>;

/**
 * Whether a key of the set verifies the token. jose chooses the key, and only one whose type, curve, use and ID fit the
 * algorithm that the token was let in with; node:crypto verifies beside the main thread: 35 µs where jose's way through
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
const SCHEMES: Readonly<Record<string, Scheme>> = {
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

interface Scheme {
  readonly hash: string | null;
  readonly options: Omit<VerifyKeyObjectInput, "key">;
  /** The hash of RSASSA-PKCS1-v1_5. */
  readonly pkcs1?: HashAlgorithm;
}

function pkcs1(hash: HashAlgorithm): Scheme {
  return { hash, options: { padding: constants.RSA_PKCS1_PADDING }, pkcs1: hash };
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
/**
 * Such keys verify in 100 µs at most, in the thread that all issuers' tokens share. With a larger modulus, or a public
 * exponent as long as the modulus, it is milliseconds: a hostile issuer's tokens go to the pool, and hold up nobody.
 */
const MOST_RSA_BITS_ASIDE = 4096;
const COMMON_EXPONENT = 65_537n;

function isSignedByKey(token: UnverifiedToken, cryptoKey: CryptoKey): Promise<boolean> {
  const scheme = SCHEMES[token.algorithm];
  const { key, bits, isQuick, spki } = issuerKey(cryptoKey);
  if (scheme === undefined || bits < FEWEST_RSA_BITS) return Promise.resolve(false);
  const message = Buffer.from(token.compact.slice(0, token.compact.lastIndexOf(".")), "latin1");
  const { signature } = token;
  if (scheme.pkcs1 !== undefined && isQuick) {
    return verifyMessageAside({ scheme: "rsa-pkcs1", hash: scheme.pkcs1, spki, message, signature });
  }
  return verifyOnPool(scheme.hash, message, { key, ...scheme.options }, signature);
}

/** What is asked of a key for each of its tokens. */
interface IssuerKey {
  readonly key: KeyObject;
  readonly spki: Uint8Array;
  /** Of RSA; of other keys what passes. */
  readonly bits: number;
  readonly isQuick: boolean;
}

const issuerKeys = new WeakMap<CryptoKey, IssuerKey>();

function issuerKey(cryptoKey: CryptoKey): IssuerKey {
  const known = issuerKeys.get(cryptoKey);
  if (known !== undefined) return known;
  const key = KeyObject.from(cryptoKey);
  const { modulusLength: bits = FEWEST_RSA_BITS, publicExponent } = key.asymmetricKeyDetails ?? {};
  const isQuick = bits <= MOST_RSA_BITS_ASIDE && publicExponent === COMMON_EXPONENT;
  const made = { key, bits, isQuick, spki: key.export({ type: "spki", format: "der" }) };
  issuerKeys.set(cryptoKey, made);
  return made;
}
