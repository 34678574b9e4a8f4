import { concatBytes, DerReader, equalBytes } from "@chancery/encoding";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import type { KeyAlgorithm, PublicKey } from "./public-key.ts";

export type DigestAlgorithm = "sha256" | "sha384" | "sha512";

const HASHES = { sha256, sha384, sha512 };
const WEB_HASHES = { sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" };
const CURVES = {
  "P-256": { curve: p256, hash: "sha256", bytes: 32 },
  "P-384": { curve: p384, hash: "sha384", bytes: 48 },
  "P-521": { curve: p521, hash: "sha512", bytes: 66 },
} as const;

type CurveName = keyof typeof CURVES;

export function digestOf(algorithm: DigestAlgorithm, bytes: Uint8Array): Uint8Array {
  return HASHES[algorithm](bytes);
}

/** What the key's owner hashes a message with, where nothing else is said. */
export function defaultHash(algorithm: KeyAlgorithm): DigestAlgorithm {
  return isCurve(algorithm) ? CURVES[algorithm].hash : algorithm === "Ed25519" ? "sha512" : "sha256";
}

/**
 * Over a whole message: by the browser's own WebCrypto, and where that lacks the algorithm, or is not there at all (a
 * page from plain http that is not localhost has none), by @noble/curves.
 */
export async function verifyMessage(
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
  subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle,
): Promise<boolean> {
  if (subtle !== undefined && key.algorithm !== "RSA") {
    const answer = await verifyByWebCrypto(subtle, key, message, signature);
    if (answer !== undefined) return answer;
  }
  if (key.algorithm === "Ed25519")
    return refusing(() => ed25519.verify(signature, message, key.raw, { zip215: false }));
  const hash = defaultHash(key.algorithm);
  return verifyDigest(key, hash, digestOf(hash, message), signature);
}

/** Where only the message's digest is known, which WebCrypto cannot do. */
export function verifyDigest(
  key: PublicKey,
  hash: DigestAlgorithm,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (key.algorithm === "RSA") return verifyRsa(key.raw, hash, digest, signature);
  if (isCurve(key.algorithm)) {
    const { curve } = CURVES[key.algorithm];
    const options = { format: "der", prehash: false, lowS: false } as const;
    return refusing(() => curve.verify(signature, digest, key.raw, options));
  }
  return hash === "sha512" && verifyEd25519ph(key.raw, digest, signature);
}

/** Undefined where this browser does not have the algorithm. */
async function verifyByWebCrypto(
  subtle: SubtleCrypto,
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean | undefined> {
  const bytes = Uint8Array.from(message);
  try {
    if (!isCurve(key.algorithm)) {
      const imported = await subtle.importKey("spki", key.spki, "Ed25519", false, ["verify"]);
      return await subtle.verify("Ed25519", imported, Uint8Array.from(signature), bytes);
    }
    const { hash, bytes: length } = CURVES[key.algorithm];
    const algorithm = { name: "ECDSA", namedCurve: key.algorithm };
    const imported = await subtle.importKey("spki", key.spki, algorithm, false, ["verify"]);
    const plain = plainSignature(signature, length);
    if (plain === undefined) return false;
    return await subtle.verify({ name: "ECDSA", hash: WEB_HASHES[hash] }, imported, plain, bytes);
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}

/** ECDSA-Sig-Value (RFC 3279, Section 2.2.3) as r and s side by side, as WebCrypto wants it. */
function plainSignature(signature: Uint8Array, length: number): Uint8Array<ArrayBuffer> | undefined {
  try {
    const outer = new DerReader(signature, "signature");
    const pair = outer.sequence();
    outer.end();
    const [r, s] = [pair.integer(), pair.integer()];
    pair.end();
    const limit = 1n << BigInt(8 * length);
    if (r < 0n || s < 0n || r >= limit || s >= limit) return undefined;
    const hex = (value: bigint) => value.toString(16).padStart(2 * length, "0");
    return Uint8Array.fromHex(hex(r) + hex(s));
  } catch {
    return undefined;
  }
}

/** dom2(1, "") of RFC 8032, Section 2: Ed25519ph, which Rekor v2 takes where only a digest is known. */
const PREHASHED = concatBytes(new TextEncoder().encode("SigEd25519 no Ed25519 collisions"), Uint8Array.of(1, 0));

function verifyEd25519ph(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || digest.length !== 64) return false;
  return refusing(() => {
    const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
    const order = ed25519.Point.Fn.ORDER;
    if (s >= order) return false;
    const k = littleEndian(sha512(concatBytes(PREHASHED, r, key, digest))) % order;
    const [point, base] = [ed25519.Point.fromBytes(key), ed25519.Point.BASE];
    const expected = base.multiplyUnsafe(s).add(point.negate().multiplyUnsafe(k));
    return !expected.isSmallOrder() && equalBytes(expected.toBytes(), r);
  });
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toReversed().toHex()}`);
}

/** DigestInfo up to the digest. RFC 8017, Section 9.2, note 1. */
const DIGEST_INFO = {
  sha256: "3031300d060960864801650304020105000420",
  sha384: "3041300d060960864801650304020205000430",
  sha512: "3051300d060960864801650304020305000440",
};

/** RSASSA-PKCS1-v1_5: the encoded message is built and compared whole. RFC 8017, Section 8.2.2. */
function verifyRsa(rsaKey: Uint8Array, hash: DigestAlgorithm, digest: Uint8Array, signature: Uint8Array): boolean {
  return refusing(() => {
    const numbers = new DerReader(rsaKey, "RSA key").sequence();
    const [modulus, exponent] = [numbers.integer(), numbers.integer()];
    const length = Math.ceil(modulus.toString(16).length / 2);
    if (signature.length !== length || length > 1_024 || exponent > 65_537n) return false;
    const expected = `01${"ff".repeat(length - 3 - DIGEST_INFO[hash].length / 2 - digest.length)}00${DIGEST_INFO[hash]}${digest.toHex()}`;
    return power(BigInt(`0x${signature.toHex()}`), exponent, modulus) === BigInt(`0x${expected}`);
  });
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base % modulus];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function isCurve(algorithm: KeyAlgorithm): algorithm is CurveName {
  return algorithm in CURVES;
}

/** A signature that cannot even be read does not verify. */
function refusing(verify: () => boolean): boolean {
  try {
    return verify();
  } catch {
    return false;
  }
}
