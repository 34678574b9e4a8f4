import { hash } from "node:crypto";

/**
 * RFC 6962, Section 2.1, written a second time. Nothing here comes from what grows the logs: one mistake would
 * have to be made twice to be missed.
 */
export const HASH_BYTES = 32;
/** Hashes in a full tile. c2sp.org/tlog-tiles. */
export const TILE_HASHES = 256;

/** MTH({}) = SHA-256(). */
export const EMPTY_TREE_HASH: Uint8Array = sha256(new Uint8Array());

/** What one tile holds: the hashes of whole subtrees of 256^level leaves, side by side. */
export interface DerivedTile {
  readonly level: number;
  readonly index: bigint;
  readonly hashes: Uint8Array;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return write(hash("sha256", bytes, "binary"), new Uint8Array(HASH_BYTES), 0);
}

/** A digest as a string of bytes costs half of one as a Buffer, which lies outside of the heap. */
function write(digest: string, target: Uint8Array, offset: number): Uint8Array {
  for (let at = 0; at < digest.length; at++) target[offset + at] = digest.charCodeAt(at);
  return target;
}

let prefixed = new Uint8Array(16_384);

/** SHA-256(0x00 || leaf). */
export function hashLeaf(leaf: Uint8Array): Uint8Array {
  if (prefixed.length <= leaf.length) prefixed = new Uint8Array(2 * leaf.length);
  prefixed[0] = 0;
  prefixed.set(leaf, 1);
  return sha256(prefixed.subarray(0, leaf.length + 1));
}

const pair = new Uint8Array(1 + 2 * HASH_BYTES);
pair[0] = 1;

/** SHA-256(0x01 || left || right). */
export function hashChildren(left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return sha256(pair);
}

/** The hash of the whole subtree above these; their number is a power of two. */
export function hashSubtree(hashes: Uint8Array): Uint8Array {
  const row = Uint8Array.from(hashes);
  for (let end = row.length / 2; end >= HASH_BYTES; end /= 2) {
    for (let at = 0; at < end; at += HASH_BYTES) {
      pair.set(row.subarray(2 * at, 2 * at + 2 * HASH_BYTES), 1);
      write(hash("sha256", pair, "binary"), row, at);
    }
  }
  return row.subarray(0, HASH_BYTES);
}

/** How many hashes a tile has in a tree of this size; 0 where it is not there. */
export function tileHashes(level: number, index: bigint, size: bigint): number {
  const left = (size >> BigInt(8 * level)) - index * BigInt(TILE_HASHES);
  return left <= 0n ? 0 : left > TILE_HASHES ? TILE_HASHES : Number(left);
}

/**
 * A tree as its right edge of unfinished tiles, one a level. It holds 8 kB for each factor of 256 in its size and
 * gives back every tile of the tree as it is finished, lowest level first.
 */
export class RederivedTree {
  #size = 0n;
  readonly #edge: { hashes: Uint8Array; count: number; index: bigint }[] = [];

  get size(): bigint {
    return this.#size;
  }

  /** A tree of this size whose right edge is known: what `partialTiles` gave. */
  static resume(size: bigint, edge: readonly DerivedTile[]): RederivedTree {
    const tree = new RederivedTree();
    tree.#size = size;
    for (let level = 0; size >> BigInt(8 * level) > 0n; level++) {
      const [index, count] = [size >> BigInt(8 * (level + 1)), Number((size >> BigInt(8 * level)) & 255n)];
      const known = edge.find((tile) => tile.level === level);
      if ((known?.hashes.length ?? 0) !== count * HASH_BYTES) throw new RangeError(`no edge of a tree of ${size}`);
      const hashes = new Uint8Array(TILE_HASHES * HASH_BYTES);
      hashes.set(known?.hashes ?? new Uint8Array());
      tree.#edge[level] = { hashes, count, index };
    }
    return tree;
  }

  /** To be grown while this one stays as it is. */
  copy(): RederivedTree {
    return RederivedTree.resume(this.#size, this.partialTiles());
  }

  /** MUST be drained: what is not taken is not added. */
  *add(leafHashes: Uint8Array): Generator<DerivedTile> {
    for (let at = 0; at < leafHashes.length;) {
      const lowest = this.#level(0);
      const room = (TILE_HASHES - lowest.count) * HASH_BYTES;
      const taken = leafHashes.subarray(at, at + room);
      lowest.hashes.set(taken, lowest.count * HASH_BYTES);
      lowest.count += taken.length / HASH_BYTES;
      this.#size += BigInt(taken.length / HASH_BYTES);
      at += taken.length;
      for (let level = 0; this.#level(level).count === TILE_HASHES; level++) yield this.#finish(level);
    }
  }

  #finish(level: number): DerivedTile {
    const { hashes, index } = this.#level(level);
    this.#edge[level] = { hashes: new Uint8Array(TILE_HASHES * HASH_BYTES), count: 0, index: index + 1n };
    const above = this.#level(level + 1);
    above.hashes.set(hashSubtree(hashes), above.count * HASH_BYTES);
    above.count++;
    return { level, index, hashes };
  }

  /** With these hashes in the place of a lowest tile that was just finished, or is not full. */
  replaceLowest({ index, hashes }: DerivedTile): void {
    const lowest = this.#level(0);
    if (index === lowest.index) return lowest.hashes.set(hashes);
    const above = this.#level(1);
    above.hashes.set(hashSubtree(hashes), (above.count - 1) * HASH_BYTES);
  }

  #level(level: number) {
    return (this.#edge[level] ??= { hashes: new Uint8Array(TILE_HASHES * HASH_BYTES), count: 0, index: 0n });
  }

  /** The tiles at the right edge that are not full, lowest level first. */
  partialTiles(): DerivedTile[] {
    return this.#edge.flatMap(({ hashes, count, index }, level) =>
      count === 0 ? [] : [{ level, index, hashes: hashes.slice(0, count * HASH_BYTES) }],
    );
  }

  /** The hashes of the whole subtrees that make up the tree, largest first: one for each bit of its size. */
  edge(partial: readonly DerivedTile[] = this.partialTiles()): Uint8Array[] {
    return partial.toReversed().flatMap(({ hashes }) => wholeSubtrees(hashes));
  }

  /** With another tile in the place of one of its own: what the root would be if that one were right. */
  root(other?: DerivedTile): Uint8Array {
    const partial = this.partialTiles().map((tile) => (tile.level === other?.level ? other : tile));
    return rootOfEdge(this.edge(partial));
  }
}

/** The root above whole subtrees that lie side by side, largest first. */
export function rootOfEdge(edge: readonly Uint8Array[]): Uint8Array {
  const [smallest, ...larger] = edge.toReversed();
  if (smallest === undefined) return EMPTY_TREE_HASH;
  return larger.reduce((right, left) => hashChildren(left, right), smallest);
}

/** Largest first, as the bits of their number say. */
export function wholeSubtrees(hashes: Uint8Array): Uint8Array[] {
  const subtrees: Uint8Array[] = [];
  for (let bytes = TILE_HASHES * HASH_BYTES, at = 0; bytes >= HASH_BYTES; bytes /= 2) {
    if (at + bytes > hashes.length) continue;
    subtrees.push(hashSubtree(hashes.subarray(at, at + bytes)));
    at += bytes;
  }
  return subtrees;
}
