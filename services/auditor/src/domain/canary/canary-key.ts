/** A key that a canary can sign with, and what the APIs call it. */
export interface CanaryKey {
  readonly name: string;
  readonly hash: "sha256" | "sha384" | "sha512";
  /** dev.sigstore.common.v1.PublicKeyDetails. */
  readonly keyDetails: string;
  /** ECDSA with that hash, RFC 5758, Section 3.2. */
  readonly signature: string;
}

/** The one that everyone uses first: `client-signing-algorithms` of a log or a CA may leave only another. */
export const CANARY_KEYS: readonly [CanaryKey, ...CanaryKey[]] = [
  { name: "P-256", hash: "sha256", keyDetails: "PKIX_ECDSA_P256_SHA_256", signature: "1.2.840.10045.4.3.2" },
  { name: "P-384", hash: "sha384", keyDetails: "PKIX_ECDSA_P384_SHA_384", signature: "1.2.840.10045.4.3.3" },
  { name: "P-521", hash: "sha512", keyDetails: "PKIX_ECDSA_P521_SHA_512", signature: "1.2.840.10045.4.3.4" },
];
