import { hash as digest } from "node:crypto";

export type HashAlgorithm = "sha256" | "sha384" | "sha512";

export const HASH_LENGTH: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/** FIPS 180-4. One call into OpenSSL without a Hash object: 2 µs for 2 kB. */
export function hash(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  return plain(digest(algorithm, bytes, "buffer"));
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return hash("sha256", bytes);
}

export function sha384(bytes: Uint8Array): Uint8Array {
  return hash("sha384", bytes);
}

export function sha512(bytes: Uint8Array): Uint8Array {
  return hash("sha512", bytes);
}

/** A Buffer's slice() is a view where a Uint8Array's is a copy: no Buffer leaves this package. */
export function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
