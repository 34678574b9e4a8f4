import { Malformed } from "@chancery/fault";
import { HASH_SIZE, nodeHashInto } from "./merkle.ts";
import { TILE_HEIGHT } from "./tile.ts";

/**
 * A tile and the nodes above its hashes, each of which is hashed once and kept: a proof needs eight nodes of a tile,
 * which are made of 247 others, and making those anew was nearly all that a proof cost.
 */
export class HashTile {
  readonly #hashes: Uint8Array;
  /** Level 1, then level 2, …: 128 nodes, 64, … up to the one that is the whole tile's (for a height of 8). */
  #inner: Uint8Array | undefined;
  readonly #width: number;
  readonly #made: Uint8Array;

  constructor(hashes: Uint8Array, height: number = TILE_HEIGHT) {
    this.#hashes = hashes;
    this.#width = 2 ** height;
    this.#made = new Uint8Array(this.#width);
  }

  /** Its own hashes, concatenated. */
  get hashes(): Uint8Array {
    return this.#hashes;
  }

  /** The hash of `2 ** level` hashes of the tile, the `index`-th of its kind. */
  node(level: number, index: number): Uint8Array {
    if ((index + 1) * 2 ** level * HASH_SIZE > this.#hashes.length) {
      throw new Malformed("tile: is shorter than its tree needs");
    }
    if (level === 0) return this.#hashes.slice(index * HASH_SIZE, (index + 1) * HASH_SIZE);
    this.#inner ??= new Uint8Array((this.#width - 1) * HASH_SIZE);
    const at = this.#make(this.#inner, level, index);
    return this.#inner.slice(at * HASH_SIZE, (at + 1) * HASH_SIZE);
  }

  #make(inner: Uint8Array, level: number, index: number): number {
    const at = this.#width - (this.#width >> (level - 1)) + index;
    if (this.#made[at] === 1) return at;
    let [children, first] = [this.#hashes, 2 * index];
    if (level > 1) {
      [children, first] = [inner, this.#make(inner, level - 1, 2 * index)];
      this.#make(inner, level - 1, 2 * index + 1);
    }
    nodeHashInto(inner, at * HASH_SIZE, children, first * HASH_SIZE);
    this.#made[at] = 1;
    return at;
  }
}
