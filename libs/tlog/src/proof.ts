import { equalBytes } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import type { Climb, ClimbedPaths } from "./climbed-paths.ts";
import { EMPTY_ROOT, HASH_SIZE, nodeHash } from "./merkle.ts";
import type { TreeHead } from "./tree-head.ts";

/** Shows that leaf `index` is in the tree of `size` leaves. RFC 9162, Section 2.1.3. */
export interface InclusionProof {
  readonly index: bigint;
  readonly size: bigint;
  readonly path: readonly Uint8Array[];
}

/** Shows that the tree of `to` leaves begins with the tree of `from` leaves. RFC 9162, Section 2.1.4. */
export interface ConsistencyProof {
  readonly from: bigint;
  readonly to: bigint;
  readonly path: readonly Uint8Array[];
}

/**
 * Recomputes the root an inclusion proof commits to. RFC 9162, Section 2.1.3.2.
 *
 * Nothing is trusted yet: the caller compares the result with a verified checkpoint.
 */
export function rootFromInclusionProof(
  proof: InclusionProof,
  leafHash: Uint8Array,
  climbed?: ClimbedPaths,
): Uint8Array {
  const { path } = proof;
  let [fn, sn, root] = [proof.index, proof.size - 1n, checkHash(leafHash, "leaf hash")];
  if (fn < 0n || fn > sn) throw new Malformed("inclusion proof: leaf index is outside the tree");
  const climbs: Climb[] = [];
  let at = 0;
  for (const sibling of path) {
    if (climbed !== undefined) {
      const climb = { fn, sn, hash: root, path, at: at++ };
      const known = climbed.rootOf(climb);
      if (known !== undefined) {
        climbed.keep(climbs, known);
        return known;
      }
      climbs.push(climb);
    }
    checkHash(sibling, "inclusion proof");
    if (sn === 0n) throw new Malformed("inclusion proof: path is too long");
    if (fn % 2n === 1n || fn === sn) {
      root = nodeHash(sibling, root);
      // A right-edge node without a sibling is promoted unchanged to the next level.
      for (; fn % 2n === 0n && fn !== 0n; fn >>= 1n) sn >>= 1n;
    } else {
      root = nodeHash(root, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n) throw new Malformed("inclusion proof: path is too short");
  climbed?.keep(climbs, root);
  return root;
}

/** Throws unless the proof shows, for exactly this tree head, that the leaf is in the log. */
export function verifyInclusion(
  proof: InclusionProof,
  leafHash: Uint8Array,
  head: TreeHead,
  climbed?: ClimbedPaths,
): void {
  if (proof.size !== head.size) throw new Unverified("inclusion proof: is for a tree of another size");
  if (!equalBytes(rootFromInclusionProof(proof, leafHash, climbed), head.root)) {
    throw new Unverified("inclusion proof: does not lead to the tree head");
  }
}

/**
 * Throws unless the log behind `newHead` is an extension of the log behind `oldHead`. RFC 9162, Section 2.1.4.2.
 *
 * The RFC leaves two cases to the caller. Equal sizes: the roots are compared, and the path must be
 * empty. An empty old tree: any tree extends it, and the path must be empty; that the old root is
 * the root of nothing is still checked, or a fork could hide behind size 0.
 */
export function verifyConsistency(proof: ConsistencyProof, oldHead: TreeHead, newHead: TreeHead): void {
  const { from, to, path } = proof;
  if (from !== oldHead.size || to !== newHead.size) {
    throw new Unverified("consistency proof: is for trees of other sizes");
  }
  if (from < 0n || from > to) throw new Malformed("consistency proof: old tree is larger than the new one");
  if (from === 0n && !equalBytes(oldHead.root, EMPTY_ROOT)) {
    throw new Unverified("consistency proof: old tree head is not that of an empty tree");
  }
  // Nothing is hashed up to the new root in this case, so this is all that looks at it.
  if (from === 0n) checkHash(newHead.root, "tree head");
  if (from === to && !equalBytes(oldHead.root, newHead.root)) {
    throw new Unverified("consistency proof: two roots for one size");
  }
  if (from === 0n || from === to) {
    if (path.length > 0) throw new Malformed("consistency proof: path is too long");
    return;
  }
  const [oldRoot, newRoot] = rootsFromConsistencyPath(proof, oldHead.root);
  if (!equalBytes(oldRoot, oldHead.root)) throw new Unverified("consistency proof: does not lead to the old tree head");
  if (!equalBytes(newRoot, newHead.root)) throw new Unverified("consistency proof: does not lead to the new tree head");
}

/** Steps 2 to 6 of RFC 9162, Section 2.1.4.2, for 0 < from < to. */
function rootsFromConsistencyPath(proof: ConsistencyProof, oldRoot: Uint8Array): [Uint8Array, Uint8Array] {
  // "If first is an exact power of 2, then prepend first_hash to the consistency_path array."
  const prepended = (proof.from & (proof.from - 1n)) === 0n;
  const [first, ...rest] = prepended ? [oldRoot, ...proof.path] : proof.path;
  if (first === undefined) throw new Malformed("consistency proof: path is too short");
  let [fn, sn] = [proof.from - 1n, proof.to - 1n];
  for (; fn % 2n === 1n; fn >>= 1n) sn >>= 1n;
  let [fr, sr] = [checkHash(first, "consistency proof"), first];
  for (const sibling of rest) {
    checkHash(sibling, "consistency proof");
    if (sn === 0n) throw new Malformed("consistency proof: path is too long");
    if (fn % 2n === 1n || fn === sn) {
      [fr, sr] = [nodeHash(sibling, fr), nodeHash(sibling, sr)];
      for (; fn % 2n === 0n && fn !== 0n; fn >>= 1n) sn >>= 1n;
    } else {
      sr = nodeHash(sr, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n) throw new Malformed("consistency proof: path is too short");
  return [fr, sr];
}

function checkHash(hash: Uint8Array, field: string): Uint8Array {
  if (hash.length !== HASH_SIZE) throw new Malformed(`${field}: a hash is not ${HASH_SIZE} bytes`);
  return hash;
}
