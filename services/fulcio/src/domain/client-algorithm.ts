import type { HashAlgorithm, KeyAlgorithm, PublicKey } from "@chancery/crypto";
import { Misconfigured, Unsupported } from "@chancery/fault";

/** A kind of key, with the hash it signs over, for which certificates are issued. */
export interface ClientAlgorithm {
  readonly key: KeyAlgorithm;
  readonly hash: HashAlgorithm;
}

/** By the names of upstream's `--client-signing-algorithms` (Sigstore's algorithm registry). */
const ALGORITHMS: Readonly<Record<string, ClientAlgorithm>> = {
  "ecdsa-sha2-256-nistp256": { key: "ecdsa-p256", hash: "sha256" },
  "ecdsa-sha2-384-nistp384": { key: "ecdsa-p384", hash: "sha384" },
  "ecdsa-sha2-512-nistp521": { key: "ecdsa-p521", hash: "sha512" },
  "rsa-sign-pkcs1-2048-sha256": { key: "rsa-2048", hash: "sha256" },
  "rsa-sign-pkcs1-3072-sha256": { key: "rsa-3072", hash: "sha256" },
  "rsa-sign-pkcs1-4096-sha256": { key: "rsa-4096", hash: "sha256" },
  ed25519: { key: "ed25519", hash: "sha512" },
  // What clients before 2025 signed requests with; upstream no longer lists them by default.
  "ecdsa-sha2-256-nistp384": { key: "ecdsa-p384", hash: "sha256" },
  "ecdsa-sha2-256-nistp521": { key: "ecdsa-p521", hash: "sha256" },
};

/** Upstream's default: each key with its own hash only. An RSA request hashed with SHA-384 is not in it. */
export const DEFAULT_CLIENT_ALGORITHMS: readonly ClientAlgorithm[] = Object.entries(ALGORITHMS)
  .filter(([name]) => !/256-nistp(?:384|521)$/.test(name))
  .map(([, algorithm]) => algorithm);

/** Misconfigured for a name that is unknown here; `key` is what the list stands under. */
export function parseClientAlgorithms(names: readonly string[], key: string): readonly ClientAlgorithm[] {
  if (names.length === 0) throw new Misconfigured(key, "is empty: no key could be certified");
  return names.map((name) => {
    const algorithm = ALGORITHMS[name];
    if (algorithm !== undefined) return algorithm;
    throw new Misconfigured(key, `${name} is not known; known are ${Object.keys(ALGORITHMS).join(", ")}`);
  });
}

/** In upstream's words, which name the key as Go does. */
export function assertPermitted(key: PublicKey, hash: HashAlgorithm, permitted: readonly ClientAlgorithm[]): void {
  if (permitted.some((algorithm) => algorithm.key === key.algorithm && algorithm.hash === hash)) return;
  const ed25519 = key.algorithm === "ed25519";
  const type = ed25519 ? "ed25519.PublicKey" : key.algorithm.startsWith("rsa") ? "*rsa.PublicKey" : "*ecdsa.PublicKey";
  const named = ed25519 ? "unknown hash value 0" : hash.replace("sha", "SHA-");
  throw new Unsupported(`signing algorithm not permitted: ${type}, ${named}`);
}
