import { sha256, sha256Into } from "@chancery/crypto";
import { equalBytes } from "@chancery/encoding";

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

/** `nodeHash`, or what answers the same. */
export type PairHash = (left: Uint8Array, right: Uint8Array) => Uint8Array;

interface KnownNode {
  readonly left: Uint8Array;
  readonly right: Uint8Array;
  readonly hash: Uint8Array;
}

/**
 * A `nodeHash` that hashes the same pair once. It answers from memory only for the very same 64 bytes, so what is
 * verified with it is verified: the proofs of a batch differ in their lowest nodes and share all others.
 */
export function rememberingNodeHash(): PairHash {
  const known = new Map<number, KnownNode>();
  return (left, right) => {
    const name = firstBytes(left) * 2 ** 20 + (firstBytes(right) >>> 12);
    const met = known.get(name);
    if (met !== undefined && equalBytes(met.left, left) && equalBytes(met.right, right)) return met.hash;
    const hash = nodeHash(left, right);
    known.set(name, { left, right, hash });
    return hash;
  };
}

/** Of a hash, as a number below 2^32. */
function firstBytes(hash: Uint8Array): number {
  return (((hash[0] ?? 0) << 24) | ((hash[1] ?? 0) << 16) | ((hash[2] ?? 0) << 8) | (hash[3] ?? 0)) >>> 0;
}

/** As `nodeHash`, for two nodes that lie beside each other in one array; to `at` in `target`. */
export function nodeHashInto(target: Uint8Array, at: number, siblings: Uint8Array, offset: number): void {
  pair.set(siblings.subarray(offset, offset + 2 * HASH_SIZE), 1);
  sha256Into(target, at, pair);
}

// Hashing is synchronous and copies nothing out, so one buffer serves every call. The first byte of each stays.
const shortLeaf = new Uint8Array(16 * 1024);
const pair = new Uint8Array(1 + 2 * HASH_SIZE).fill(1, 0, 1);
