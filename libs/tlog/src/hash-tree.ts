import { Malformed } from "@chancery/fault";
import { EMPTY_ROOT, nodeHash } from "./merkle.ts";
import type { ConsistencyProof, InclusionProof } from "./proof.ts";

/**
 * Names a COMPLETE subtree: its root stands `level` above the leaves and is the `index`-th of that
 * level, so it covers leaves [index * 2^level, (index + 1) * 2^level). Its hash never changes again.
 */
export interface NodeCoordinate {
  readonly level: number;
  readonly index: bigint;
}

/** Reads stored hashes, in the order asked for. All a proof needs comes in one call. */
export type HashReader = (nodes: readonly NodeCoordinate[]) => Promise<readonly Uint8Array[]>;

/** The same for hashes already in memory. */
export type HashLookup = (node: NodeCoordinate) => Uint8Array;

/**
 * The complete subtrees that make up leaves [begin, end), left to right; `begin` is a multiple of the
 * power of two at or above `end - begin`, as it is for every range that the RFC's recursions visit.
 * For [0, size) it is the tree's right edge, which is one node for each bit set in `size`.
 */
export function rangeNodes(begin: bigint, end: bigint): NodeCoordinate[] {
  const nodes: NodeCoordinate[] = [];
  for (let at = begin; at < end;) {
    const level = bitLength(end - at) - 1;
    nodes.push({ level, index: at >> BigInt(level) });
    at += 1n << BigInt(level);
  }
  return nodes;
}

/** Hash of a range from the hashes of its `rangeNodes`. */
export function foldNodes(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(left, right));
}

/**
 * Every element of PATH(m, D[n]) as the range it is the hash of, leaf upwards. RFC 9162, Section 2.1.3.1, read from the
 * leaf: a node that is the last of its level and a left one has no sibling and is the same on the level above. The
 * last node of a level is whole or not, and then it is made of the tree's right edge.
 */
export function inclusionNodes(index: bigint, size: bigint): NodeCoordinate[][] {
  if (index < 0n || index >= size) throw new Malformed("leaf index is outside the tree");
  const path: NodeCoordinate[][] = [];
  let [node, last] = [index, size - 1n];
  for (let level = 0; last > 0n; level++) {
    const sibling = node ^ 1n;
    if (sibling < last) path.push([{ level, index: sibling }]);
    else if (sibling === last) path.push(rangeNodes(sibling << BigInt(level), size));
    node >>= 1n;
    last >>= 1n;
  }
  return path;
}

/** The same for PROOF(m, D[n]). RFC 6962, Section 2.1.2. From nothing, and from a tree to itself, the proof is empty. */
export function consistencyNodes(from: bigint, to: bigint): NodeCoordinate[][] {
  if (from < 0n || from > to) throw new Malformed("old tree is larger than the new one");
  if (from === 0n || from === to) return [];
  const path: NodeCoordinate[][] = [];
  let [begin, end] = [0n, to];
  while (end !== from) {
    const middle = begin + largestPowerBelow(end - begin);
    path.push(from <= middle ? rangeNodes(middle, end) : rangeNodes(begin, middle));
    if (from <= middle) end = middle;
    else begin = middle;
  }
  // A verifier knows the old root itself: it is left out where it is a subtree of the new tree.
  if (begin !== 0n) path.push(rangeNodes(begin, end));
  return path.toReversed();
}

export async function treeRoot(size: bigint, read: HashReader): Promise<Uint8Array> {
  return size === 0n ? EMPTY_ROOT : foldNodes(await read(rangeNodes(0n, size)));
}

/** `edge`: the memory of proofs in the tree of this size, and of no other. */
export async function inclusionProof(
  index: bigint,
  size: bigint,
  read: HashReader,
  edge?: RightEdge,
): Promise<InclusionProof> {
  return { index, size, path: await readPath(inclusionNodes(index, size), read, edge) };
}

export async function consistencyProof(from: bigint, to: bigint, read: HashReader): Promise<ConsistencyProof> {
  return { from, to, path: await readPath(consistencyNodes(from, to), read) };
}

export function inclusionProofFrom(index: bigint, size: bigint, lookup: HashLookup): InclusionProof {
  return { index, size, path: inclusionNodes(index, size).map((nodes) => foldNodes(nodes.map(lookup))) };
}

export function consistencyProofFrom(from: bigint, to: bigint, lookup: HashLookup): ConsistencyProof {
  return { from, to, path: consistencyNodes(from, to).map((nodes) => foldNodes(nodes.map(lookup))) };
}

/**
 * What a tree's proofs have in common: at most one element of a path is not one node but the right edge above some
 * leaf, which is up to a node a level to read and to hash. By the level of its first and largest node.
 */
export type RightEdge = Map<number, Uint8Array>;

async function readPath(
  path: readonly NodeCoordinate[][],
  read: HashReader,
  edge: RightEdge = new Map(),
): Promise<Uint8Array[]> {
  const known = path.map((nodes) => (nodes.length > 1 ? edge.get(nodes[0]?.level ?? 0) : undefined));
  const wanted = path.flatMap((nodes, at) => (known[at] === undefined ? nodes : []));
  const hashes = wanted.length === 0 ? [] : await read(wanted);
  let next = 0;
  return path.map((nodes, at) => {
    const met = known[at];
    if (met !== undefined) return met;
    const hash = foldNodes(hashes.slice(next, (next += nodes.length)));
    if (nodes.length > 1) edge.set(nodes[0]?.level ?? 0, hash);
    return hash;
  });
}

/** "Let k be the largest power of two smaller than n." */
function largestPowerBelow(n: bigint): bigint {
  return 1n << BigInt(bitLength(n - 1n) - 1);
}

/** A proof asks for it some 50 times; taken from the digits of the bigint, that was half of its cost. */
function bitLength(n: bigint): number {
  return n < 2n ** 32n ? 32 - Math.clz32(Number(n)) : 32 + bitLength(n >> 32n);
}
