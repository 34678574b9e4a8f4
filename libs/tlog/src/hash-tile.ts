import { Malformed } from "@chancery/fault";
import { HASH_SIZE, nodeHashAt } from "./merkle.ts";
import { TILE_WIDTH } from "./tile.ts";

/**
 * A tile and the nodes above its hashes, each of which is hashed once and kept: a proof needs eight nodes of a tile,
 * which are made of 247 others, and making those anew was nearly all that a proof cost.
 */
export class HashTile {
  #hashes: Uint8Array;
  /** Level 1, then level 2, …: 128 nodes, 64, … up to the one that is the whole tile's. */
  #inner: Uint8Array | undefined;
  readonly #made = new Uint8Array(TILE_WIDTH);

  constructor(hashes: Uint8Array) {
    this.#hashes = hashes;
  }

  /** Its own hashes, concatenated. */
  get hashes(): Uint8Array {
    return this.#hashes;
  }

  /** MUST begin with the hashes that are there. The nodes made of those stay as they are. */
  grow(hashes: Uint8Array): void {
    if (hashes.length > this.#hashes.length) this.#hashes = hashes;
  }

  /** The hash of `2 ** level` hashes of the tile, the `index`-th of its kind. */
  node(level: number, index: number): Uint8Array {
    if ((index + 1) * 2 ** level * HASH_SIZE > this.#hashes.length) {
      throw new Malformed("tile: is shorter than its tree needs");
    }
    if (level === 0) return this.#hashes.slice(index * HASH_SIZE, (index + 1) * HASH_SIZE);
    this.#inner ??= new Uint8Array((TILE_WIDTH - 1) * HASH_SIZE);
    const at = this.#make(this.#inner, level, index);
    return this.#inner.slice(at * HASH_SIZE, (at + 1) * HASH_SIZE);
  }

  #make(inner: Uint8Array, level: number, index: number): number {
    const at = TILE_WIDTH - (TILE_WIDTH >> (level - 1)) + index;
    if (this.#made[at] === 1) return at;
    let [children, first] = [this.#hashes, 2 * index];
    if (level > 1) {
      [children, first] = [inner, this.#make(inner, level - 1, 2 * index)];
      this.#make(inner, level - 1, 2 * index + 1);
    }
    inner.set(nodeHashAt(children, first * HASH_SIZE), at * HASH_SIZE);
    this.#made[at] = 1;
    return at;
  }
}
