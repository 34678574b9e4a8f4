import { Malformed } from "@chancery/fault";
import { foldNodes, type HashLookup } from "./hash-tree.ts";
import { EMPTY_ROOT, HASH_SIZE, nodeHash, nodeHashInto } from "./merkle.ts";
import { TILE_HEIGHT, TILE_WIDTH } from "./tile.ts";
import { MAX_TREE_SIZE, type TreeHead } from "./tree-head.ts";

/**
 * All that is needed to grow a tree: its size and its right edge, the hashes of the complete subtrees
 * that make it up, largest (leftmost) first, one for each bit set in `size`.
 */
export interface TreeEdge {
  readonly size: bigint;
  readonly edge: readonly Uint8Array[];
}

/** Hashes to append to one tile, which MUST hold exactly `offset` hashes before: anything else is another tree. */
export interface TileGrowth {
  readonly level: number;
  readonly index: number;
  readonly offset: number;
  readonly hashes: Uint8Array;
}

export interface Growth extends TreeEdge, TreeHead {
  readonly tiles: readonly TileGrowth[];
  /**
   * Every node that proofs of the new leaves, and the proof of consistency with the tree before,
   * can ask for; with it a batch is proven without reading anything back.
   */
  readonly lookup: HashLookup;
}

export const EMPTY_TREE: TreeEdge = { size: 0n, edge: [] };

/** Root of the tree that ends in this edge. */
export function edgeRoot({ size, edge }: TreeEdge): Uint8Array {
  if (edge.length !== bitCount(size)) throw new Malformed("tree edge: does not belong to its size");
  return size === 0n ? EMPTY_ROOT : foldNodes(edge);
}

/**
 * Integrates a batch. The levels are built one after the other, each from the one below in a single
 * pass over one flat array, so a batch of N leaves costs N + log2(size) hashes and one allocation a level.
 */
export function growTree(before: TreeEdge, leafHashes: readonly Uint8Array[]): Growth {
  const size = before.size + BigInt(leafHashes.length);
  if (size > MAX_TREE_SIZE) throw new Malformed("tree: is full");
  if (before.edge.length !== bitCount(before.size)) throw new Malformed("tree edge: does not belong to its size");

  const rows: Row[] = [];
  const tiles: TileGrowth[] = [];
  const edge: Uint8Array[] = [];
  // The smallest subtree of the old edge is met first, on the lowest level.
  let oldEdge = before.edge.length;
  let nodes = concatHashes(leafHashes);
  for (let level = 0; size >> BigInt(level) > 0n; level++) {
    const start = before.size >> BigInt(level);
    const left = start & 1n ? before.edge[--oldEdge] : undefined;
    rows.push({ start, nodes, left });
    if (level % TILE_HEIGHT === 0) tiles.push(...tileGrowth(level / TILE_HEIGHT, start, nodes));
    if ((size >> BigInt(level)) & 1n) edge.push(nodes.length > 0 ? nodes.slice(-HASH_SIZE) : expectNode(left));
    nodes = parents(nodes, left);
  }
  edge.reverse();
  return { size, edge, root: edgeRoot({ size, edge }), tiles, lookup: lookupIn(rows) };
}

/** One level: the new nodes, from index `start` on, and the old node left of them if it has no parent yet. */
interface Row {
  readonly start: bigint;
  readonly nodes: Uint8Array;
  readonly left: Uint8Array | undefined;
}

/** The nodes one level up that this level makes complete. A last node without a sibling waits in the edge. */
function parents(nodes: Uint8Array, left: Uint8Array | undefined): Uint8Array {
  const count = nodes.length / HASH_SIZE;
  const lone = left === undefined ? 0 : 1;
  const above = new Uint8Array(((count + lone) >>> 1) * HASH_SIZE);
  if (above.length === 0) return above;
  let at = 0;
  if (left !== undefined) {
    above.set(nodeHash(left, nodes.subarray(0, HASH_SIZE)));
    at = HASH_SIZE;
  }
  for (let child = at; at < above.length; at += HASH_SIZE, child += 2 * HASH_SIZE) {
    nodeHashInto(above, at, nodes, child);
  }
  return above;
}

function tileGrowth(level: number, start: bigint, nodes: Uint8Array): TileGrowth[] {
  const tiles: TileGrowth[] = [];
  let index = Number(start / BigInt(TILE_WIDTH));
  let offset = Number(start % BigInt(TILE_WIDTH));
  for (let at = 0; at < nodes.length; index++, offset = 0) {
    const hashes = nodes.slice(at, at + (TILE_WIDTH - offset) * HASH_SIZE);
    tiles.push({ level, index, offset, hashes });
    at += hashes.length;
  }
  return tiles;
}

function lookupIn(rows: readonly Row[]): HashLookup {
  return ({ level, index }) => {
    const row = rows[level];
    if (row === undefined) throw new Malformed("tree growth: no such node");
    if (index === row.start - 1n) return expectNode(row.left);
    const at = Number(index - row.start) * HASH_SIZE;
    if (at < 0 || at >= row.nodes.length) throw new Malformed("tree growth: no such node");
    return row.nodes.slice(at, at + HASH_SIZE);
  };
}

function concatHashes(hashes: readonly Uint8Array[]): Uint8Array {
  const flat = new Uint8Array(hashes.length * HASH_SIZE);
  for (const [at, hash] of hashes.entries()) {
    if (hash.length !== HASH_SIZE) throw new Malformed(`leaf hash: is not ${HASH_SIZE} bytes`);
    flat.set(hash, at * HASH_SIZE);
  }
  return flat;
}

function expectNode(node: Uint8Array | undefined): Uint8Array {
  if (node === undefined) throw new Malformed("tree growth: no such node");
  return node;
}

function bitCount(size: bigint): number {
  let count = 0;
  for (let rest = size; rest > 0n; rest &= rest - 1n) count++;
  return count;
}
