import { concatBytes } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { sha256 } from "@noble/hashes/sha2.js";

/** Shows that leaf `index` is in the tree of `size` leaves. RFC 9162, Section 2.1.3. */
export interface InclusionProof {
  readonly index: bigint;
  readonly size: bigint;
  readonly path: readonly Uint8Array[];
}

/** One hash on the way up, as it is shown. */
export interface Climb {
  readonly sibling: Uint8Array;
  readonly side: "left" | "right";
  readonly parent: Uint8Array;
}

/** SHA-256(0x00 || entry). RFC 6962, Section 2.1. */
export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(0), entry));
}

/** SHA-256(0x01 || left || right). */
function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(1), left, right));
}

/**
 * Climbs from a leaf to the root by the shape of the tree, not by the proof's word: where `index` and `size` say that
 * a node has its sibling, one hash is taken, and at the end none may be left. RFC 9162, Section 2.1.3.2, told level by level.
 */
export function climb({ index, size, path }: InclusionProof, leaf: Uint8Array): { root: Uint8Array; climbs: Climb[] } {
  if (index < 0n || index >= size) throw new Malformed("the index lies outside the tree");
  const climbs: Climb[] = [];
  let root = leaf;
  let taken = 0;
  let [position, last] = [index, size - 1n];
  for (; last > 0n; [position, last] = [position >> 1n, last >> 1n]) {
    const isRight = (position & 1n) === 1n;
    // The last node of a level without a sibling goes up as it is.
    if (!isRight && position === last) continue;
    const sibling = path[taken++];
    if (sibling === undefined) throw new Malformed("the path is too short for a tree of this size");
    if (sibling.length !== 32) throw new Malformed("a hash of the path is not 32 bytes");
    root = isRight ? nodeHash(sibling, root) : nodeHash(root, sibling);
    climbs.push({ sibling, side: isRight ? "left" : "right", parent: root });
  }
  if (taken !== path.length) throw new Malformed("the path is too long for a tree of this size");
  return { root, climbs };
}
