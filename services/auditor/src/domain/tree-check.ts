import { Difference, expectEqual, NOTHING, type Place } from "./difference.ts";
import { type DerivedTile, HASH_BYTES, hashSubtree, RederivedTree, TILE_HASHES, tileHashes } from "./merkle.ts";

/** A size and root that somebody stated: a checkpoint, the anchor, the database. */
export interface StatedHead {
  readonly by: "checkpoint" | "anchor" | "tree";
  readonly size: bigint;
  readonly root: Uint8Array;
}

/** The tiles as the log stores or serves them. */
export interface TileSource {
  /** Undefined where there is none. The width is what the tile has in the tree that is checked. */
  tile(level: number, index: bigint, width: number): Promise<Uint8Array | undefined>;
}

/**
 * Derives the tree of `size` leaves anew from its leaf hashes, compares every tile with the stored one and every stated
 * head with the root at its size. Throws the first Difference; a head counts after the tiles, because a tile says where.
 */
export class TreeCheck {
  readonly #size: bigint;
  readonly #heads: readonly StatedHead[];
  readonly #tiles: TileSource | undefined;
  readonly #tree: RederivedTree;
  readonly #derived: (tile: DerivedTile) => void;
  readonly #roots = new Map<bigint, Uint8Array>();

  /** `from`: a part of it that was checked before, and that is grown. `derived` is called for each full tile that held. */
  constructor(
    size: bigint,
    heads: readonly StatedHead[],
    tiles: TileSource | undefined,
    {
      from = new RederivedTree(),
      derived = () => {},
    }: { from?: RederivedTree; derived?: (tile: DerivedTile) => void } = {},
  ) {
    this.#size = size;
    this.#heads = heads;
    this.#tiles = tiles;
    this.#tree = from;
    this.#derived = derived;
    this.#noteRoot();
  }

  async add(leafHashes: Uint8Array): Promise<void> {
    for (let at = 0; at < leafHashes.length;) {
      const taken = leafHashes.subarray(at, at + this.#untilNextHead() * HASH_BYTES);
      for (const tile of this.#tree.add(taken)) {
        await this.#compare(tile);
        this.#derived(tile);
      }
      this.#noteRoot();
      at += taken.length;
    }
  }

  /** Resolves to the edge of the tree: the hashes of the subtrees that make it up, largest first. */
  async finish(): Promise<readonly Uint8Array[]> {
    expectEqual({ kind: "tree", field: "number of entries" }, this.#size, this.#tree.size);
    for (const tile of this.#tree.partialTiles()) await this.#compare(tile);
    for (const { by, size, root } of this.#heads) {
      expectEqual({ kind: by, field: `root at size ${size}` }, this.#roots.get(size) ?? NOTHING, root);
    }
    return this.#tree.edge();
  }

  #untilNextHead(): number {
    const ahead = this.#heads.map(({ size }) => size - this.#tree.size).filter((left) => left > 0n);
    return ahead.length === 0 ? Infinity : Number(ahead.reduce((least, left) => (left < least ? left : least)));
  }

  #noteRoot(): void {
    if (this.#heads.some(({ size }) => size === this.#tree.size)) this.#roots.set(this.#tree.size, this.#tree.root());
  }

  async #compare(derived: DerivedTile): Promise<void> {
    if (this.#tiles === undefined) return;
    const { level, index, hashes } = derived;
    const width = hashes.length / HASH_BYTES;
    const stored = await this.#tiles.tile(level, index, width);
    const offset = firstDifference(hashes, stored ?? new Uint8Array());
    if (offset === undefined) return;
    const whole = stored?.length === hashes.length ? { level, index, hashes: stored } : undefined;
    throw await this.#blame(derived, whole, offset, stored?.subarray(offset * HASH_BYTES, (offset + 1) * HASH_BYTES));
  }

  /**
   * Leaf and tile disagree, and a third says which of the two has changed: the tile above, or for the last tile, which
   * has none, the root that is stated for the whole tree.
   */
  async #blame(derived: DerivedTile, stored: DerivedTile | undefined, offset: number, found: Uint8Array | undefined) {
    const { level, index, hashes } = derived;
    const own = hashes.slice(offset * HASH_BYTES, (offset + 1) * HASH_BYTES);
    const tile: Place = { kind: "tile", level, index, offset };
    if (level > 0 || stored === undefined || found === undefined || !(await this.#isVouchedFor(stored))) {
      return new Difference(tile, own, found ?? NOTHING);
    }
    const entry = index * BigInt(TILE_HASHES) + BigInt(offset);
    return new Difference({ kind: "entry", index: entry, field: "leaf" }, found, own);
  }

  async #isVouchedFor(stored: DerivedTile): Promise<boolean> {
    if (stored.hashes.length < TILE_HASHES * HASH_BYTES) {
      const head = this.#heads.find(({ size }) => size === this.#tree.size);
      return head !== undefined && same(this.#tree.root(stored), head.root);
    }
    const [level, index] = [stored.level + 1, stored.index / BigInt(TILE_HASHES)];
    const above = await this.#tiles?.tile(level, index, tileHashes(level, index, this.#size));
    const offset = Number(stored.index % BigInt(TILE_HASHES)) * HASH_BYTES;
    return above !== undefined && same(hashSubtree(stored.hashes), above.subarray(offset, offset + HASH_BYTES));
  }
}

/** The first hash that only one of the tiles has, or that is another in the other. */
function firstDifference(derived: Uint8Array, stored: Uint8Array): number | undefined {
  if (same(derived, stored)) return undefined;
  for (let at = 0; ; at += HASH_BYTES) {
    const [a, b] = [derived.subarray(at, at + HASH_BYTES), stored.subarray(at, at + HASH_BYTES)];
    if (!same(a, b)) return at / HASH_BYTES;
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
