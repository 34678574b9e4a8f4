import { hashChildren } from "./merkle.ts";

/**
 * The root an inclusion path leads to, or undefined where it is too short or too long: RFC 6962, Section 2.1.1, walked
 * from the root downwards, as the definition is written, and hashed on the way back.
 */
export function rootOfPath(
  index: bigint,
  size: bigint,
  leafHash: Uint8Array,
  path: readonly Uint8Array[],
): Uint8Array | undefined {
  if (index < 0n || index >= size) return undefined;
  if (size === 1n) return path.length === 0 ? leafHash : undefined;
  const sibling = path.at(-1);
  if (sibling === undefined) return undefined;
  // "the largest power of two smaller than n"
  const k = 1n << BigInt((size - 1n).toString(2).length - 1);
  const rest = path.slice(0, -1);
  if (index < k) {
    const left = rootOfPath(index, k, leafHash, rest);
    return left && hashChildren(left, sibling);
  }
  const right = rootOfPath(index - k, size - k, leafHash, rest);
  return right && hashChildren(sibling, right);
}
