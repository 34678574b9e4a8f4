import { sha256, sha256Into } from "@chancery/crypto";

/** Bytes in a node of the tree: SHA-256 throughout. */
export const HASH_SIZE = 32;

/** "The hash of an empty list is the hash of an empty string." RFC 6962, Section 2.1. */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array());

/**
 * SHA-256(0x00 || entry). RFC 6962, Section 2.1.
 *
 * The prefixes 0x00 and 0x01 are what keeps a leaf from being passed off as an inner node (second
 * preimage): nothing in the tree is hashed without one.
 */
export function leafHash(entry: Uint8Array): Uint8Array {
  const prefixed =
    entry.length < shortLeaf.length ? shortLeaf.subarray(0, entry.length + 1) : new Uint8Array(entry.length + 1);
  prefixed.set(entry, 1);
  return sha256(prefixed);
}

/** SHA-256(0x01 || left || right). RFC 6962, Section 2.1. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_SIZE);
  return sha256(pair);
}

/** As `nodeHash`, for two nodes that lie beside each other in one array; to `at` in `target`. */
export function nodeHashInto(target: Uint8Array, at: number, siblings: Uint8Array, offset: number): void {
  pair.set(siblings.subarray(offset, offset + 2 * HASH_SIZE), 1);
  sha256Into(target, at, pair);
}

// Hashing is synchronous and copies nothing out, so one buffer serves every call. The first byte of each stays.
const shortLeaf = new Uint8Array(16 * 1024);
const pair = new Uint8Array(1 + 2 * HASH_SIZE).fill(1, 0, 1);
