import type { HashAlgorithm } from "./sha.ts";

export type KeyAlgorithm =
  | "ecdsa-p256"
  | "ecdsa-p384"
  | "ecdsa-p521"
  | "rsa-2048"
  | "rsa-3072"
  | "rsa-4096"
  | "ed25519";

/** A way to sign: what PublicKeyDetails of Sigstore's protobuf-specs names. RSA is PKCS#1 v1.5 throughout. */
export interface SignatureScheme {
  readonly algorithm: KeyAlgorithm;
  readonly hash: HashAlgorithm;
  /** Ed25519ph, which signs a SHA-512 digest. Every other scheme signs the message and hashes as its first step. */
  readonly prehashed: boolean;
}

/**
 * Sigstore's algorithm registry (sigstore/architecture-docs, algorithm-registry.md), less the deprecated and PSS rows.
 * One hash a key type: a signature over another hash of the same key is another scheme, and in no client's list.
 */
const SCHEMES: ReadonlyMap<string, SignatureScheme> = new Map<string, SignatureScheme>([
  ["PKIX_ECDSA_P256_SHA_256", { algorithm: "ecdsa-p256", hash: "sha256", prehashed: false }],
  ["PKIX_ECDSA_P384_SHA_384", { algorithm: "ecdsa-p384", hash: "sha384", prehashed: false }],
  ["PKIX_ECDSA_P521_SHA_512", { algorithm: "ecdsa-p521", hash: "sha512", prehashed: false }],
  ["PKIX_RSA_PKCS1V15_2048_SHA256", { algorithm: "rsa-2048", hash: "sha256", prehashed: false }],
  ["PKIX_RSA_PKCS1V15_3072_SHA256", { algorithm: "rsa-3072", hash: "sha256", prehashed: false }],
  ["PKIX_RSA_PKCS1V15_4096_SHA256", { algorithm: "rsa-4096", hash: "sha256", prehashed: false }],
  ["PKIX_ED25519", { algorithm: "ed25519", hash: "sha512", prehashed: false }],
  ["PKIX_ED25519_PH", { algorithm: "ed25519", hash: "sha512", prehashed: true }],
]);

const DEFAULT_HASH: Readonly<Record<KeyAlgorithm, HashAlgorithm>> = {
  "ecdsa-p256": "sha256",
  "ecdsa-p384": "sha384",
  "ecdsa-p521": "sha512",
  "rsa-2048": "sha256",
  "rsa-3072": "sha256",
  "rsa-4096": "sha256",
  ed25519: "sha512",
};

/** The hash that clients pair with the key. For Ed25519 it is the one inside the scheme, and Ed25519ph's. */
export function defaultHash(algorithm: KeyAlgorithm): HashAlgorithm {
  return DEFAULT_HASH[algorithm];
}

/** The PublicKeyDetails name of the key's default scheme; of Ed25519ph when `prehashed` is asked of an Ed25519 key. */
export function keyDetails(algorithm: KeyAlgorithm, prehashed = false): string {
  for (const [name, scheme] of SCHEMES) {
    if (scheme.algorithm === algorithm && scheme.prehashed === prehashed) return name;
  }
  throw new TypeError(`${algorithm} has no prehashed form in the registry`);
}

/** The way back, or undefined for a name that is unknown, deprecated or not supported. */
export function signatureScheme(keyDetailsName: string): SignatureScheme | undefined {
  return SCHEMES.get(keyDetailsName);
}
