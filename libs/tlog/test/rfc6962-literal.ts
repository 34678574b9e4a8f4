import { createHash } from "node:crypto";

/**
 * MTH, PATH and PROOF exactly as RFC 6962, Section 2.1 writes them, with node's own hash: slow,
 * recursive, hard to get wrong. Imports nothing of this package; it is what the package is held against.
 */
const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

/** "Let k be the largest power of two smaller than n." */
export const split = (n: number) => 2 ** Math.floor(Math.log2(n - 1));

export const hashOfLeaf = (d: Uint8Array) => sha256(Uint8Array.of(0), d);

export function mth(d: readonly Uint8Array[]): Uint8Array {
  if (d.length === 0) return sha256();
  if (d.length === 1) return hashOfLeaf(d[0]!);
  const k = split(d.length);
  return sha256(Uint8Array.of(1), mth(d.slice(0, k)), mth(d.slice(k)));
}

export function path(m: number, d: readonly Uint8Array[]): Uint8Array[] {
  if (d.length === 1) return [];
  const k = split(d.length);
  return m < k ? [...path(m, d.slice(0, k)), mth(d.slice(k))] : [...path(m - k, d.slice(k)), mth(d.slice(0, k))];
}

export const proof = (m: number, d: readonly Uint8Array[]): Uint8Array[] => subproof(m, d, true);

function subproof(m: number, d: readonly Uint8Array[], b: boolean): Uint8Array[] {
  const n = d.length;
  if (m === n) return b ? [] : [mth(d)];
  const k = split(n);
  return m <= k
    ? [...subproof(m, d.slice(0, k), b), mth(d.slice(k))]
    : [...subproof(m - k, d.slice(k), false), mth(d.slice(0, k))];
}

/** `n` entries, all different, some empty-ish and some longer than a hash block. */
export const entries = (n: number): Uint8Array[] =>
  Array.from({ length: n }, (_, at) => new Uint8Array(Buffer.from(`${at} `.repeat(at % 40))));
