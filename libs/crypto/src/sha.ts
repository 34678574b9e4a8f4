import { hash as digest } from "node:crypto";

export type HashAlgorithm = "sha256" | "sha384" | "sha512";

export const HASH_LENGTH: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/**
 * FIPS 180-4. One call into OpenSSL without a Hash object. A digest that comes as a Buffer takes memory outside of the
 * heap, which is more than half of what hashing two nodes of a tree costs: it comes as a string of a character a byte.
 */
export function hash(algorithm: HashAlgorithm, bytes: Uint8Array | string): Uint8Array {
  return writeDigest(digest(algorithm, bytes, "binary"), new Uint8Array(HASH_LENGTH[algorithm]), 0);
}

/** SHA-256 where it is to stand: for whoever hashes whole trees. */
export function sha256Into(target: Uint8Array, offset: number, bytes: Uint8Array): void {
  writeDigest(digest("sha256", bytes, "binary"), target, offset);
}

/** SHA-256 of a text's UTF-8, which is made nowhere but in the call. */
export function sha256OfText(text: string): Uint8Array {
  return hash("sha256", text);
}

/** Where only the text is wanted; of a text its UTF-8's. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return digest("sha256", bytes, "hex");
}

function writeDigest(text: string, target: Uint8Array, offset: number): Uint8Array {
  for (let at = 0; at < text.length; at++) target[offset + at] = text.charCodeAt(at);
  return target;
}

/** For key identifiers (RFC 5280, Section 4.2.1.2): names, of which nothing rests on collisions being hard. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return writeDigest(digest("sha1", bytes, "binary"), new Uint8Array(20), 0);
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
