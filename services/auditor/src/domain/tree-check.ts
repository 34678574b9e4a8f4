import { expectEqual, type Found, NOTHING, type Place, tell, unlessFound } from "./difference.ts";
import { type DerivedTile, HASH_BYTES, RederivedTree, TILE_HASHES, tileHashes } from "./merkle.ts";
import { provenHashes } from "./proven-tile.ts";
import { leafDifferences, tileDifferences } from "./tile-difference.ts";

/** A size and root that somebody stated: a checkpoint, the anchor, the database. */
export interface StatedHead {
  readonly by: "checkpoint" | "anchor" | "tree";
  readonly size: bigint;
  readonly root: Uint8Array;
}

/** Of more the rows by which they are found are told, too. */
const MOST_BELIEVED = 100_000;
/** With more parts of a tree in doubt all of it is. */
const MOST_DOUBTED = 1_000;

/** Leaves [first, end). */
export interface Stretch {
  readonly first: bigint;
  readonly end: bigint;
}

/** The tiles as the log stores or serves them. */
export interface TileSource {
  /** Undefined where there is none. The width is what the tile has in the tree that is checked. */
  tile(level: number, index: bigint, width: number): Promise<Uint8Array | undefined>;
}

/**
 * Derives the tree of `size` leaves anew from its leaf hashes, compares every tile with the stored one and every stated
 * head with the root at its size. Throws the first Difference, or tells each and goes on with what is vouched for; a head
 * counts after the tiles, because a tile says where.
 */
export class TreeCheck {
  readonly #size: bigint;
  readonly #heads: readonly StatedHead[];
  readonly #tiles: TileSource | undefined;
  readonly #tree: RederivedTree;
  readonly #derived: (tile: DerivedTile) => void;
  readonly #roots = new Map<bigint, Uint8Array>();
  readonly #found: Found;
  /** The hashes of leaves that are others now, as their tile and what is above it say. */
  readonly believed = new Map<bigint, Uint8Array>();
  #doubted: Stretch[] = [];
  /** A signed root commits to all leaves below. */
  #vouched = 0n;

  /** `from`: a part of it that was checked before, and that is grown. `derived` is called for each full tile that held. */
  constructor(
    size: bigint,
    heads: readonly StatedHead[],
    tiles: TileSource | undefined,
    {
      from = new RederivedTree(),
      derived = () => {},
      found,
    }: { from?: RederivedTree; derived?: (tile: DerivedTile) => void; found?: Found } = {},
  ) {
    this.#size = size;
    this.#heads = heads;
    this.#tiles = tiles;
    this.#tree = from;
    this.#derived = derived;
    this.#found = found;
    this.#noteRoot();
  }

  /**
   * Leaves that a hash above them does not commit to, while nothing says which of them, or whether the hash, is another: of
   * none of them it is known what it was.
   */
  get doubted(): readonly Stretch[] {
    const beyond = this.#doubted.filter(({ end }) => end > this.#vouched);
    return beyond.map(({ first, end }) => ({ first: first > this.#vouched ? first : this.#vouched, end }));
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
    const count = { kind: "tree", field: "number of entries" } as const;
    await unlessFound(this.#found, () => expectEqual(count, this.#size, this.#tree.size));
    const before = this.believed.size;
    for (const tile of this.#tree.partialTiles()) await this.#compare(tile);
    // Of a leaf at the edge that is another, so are the roots that were derived since.
    const start = this.believed.size === before ? this.#size : this.#size - (this.#size % BigInt(TILE_HASHES));
    if (start < this.#size) this.#noteRoot();
    for (const { by, size, root } of this.#heads) {
      if (size > this.#size || (size > start && size < this.#size)) continue;
      const place = { kind: by, field: `root at size ${size}` } as const;
      const derived = this.#roots.get(size) ?? NOTHING;
      // The others are what the database says, as the leaves are.
      if (by === "checkpoint" && derived !== NOTHING && same(derived, root)) this.#vouch(size);
      else if (by === "checkpoint") this.#doubt({ first: 0n, end: size });
      await unlessFound(this.#found, () => expectEqual(place, derived, root));
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
    const tiles = this.#tiles;
    if (tiles === undefined) return;
    const { level, index, hashes } = derived;
    let isRead = false;
    const stored = await unlessFound(this.#found, async () => {
      const tile = await tiles.tile(level, index, hashes.length / HASH_BYTES);
      isRead = true;
      return tile;
    });
    if (!isRead || (stored !== undefined && same(hashes, stored))) return;
    const own = level === 0 && stored !== undefined ? await this.#vouchedFor(derived, stored) : undefined;
    if (own === undefined || stored === undefined) {
      const differences = tileDifferences(derived, stored);
      for (const { place } of differences) this.#doubtBelow(place);
      return tell(this.#found, differences);
    }
    const first = index * BigInt(TILE_HASHES);
    const changed = leafDifferences(first, own, hashes);
    tell(this.#found, [...changed, ...tileDifferences({ level, index, hashes: own }, stored)]);
    this.#tree.replaceLowest({ level, index, hashes: own });
    for (const { place } of changed) if (place.kind === "entry") this.#believe(first, own, place);
  }

  #doubtBelow(place: Place): void {
    if (place.kind !== "tile") return;
    const { level, index, offset, more = 0 } = place;
    const [at, each] = [index * BigInt(TILE_HASHES) + BigInt(offset), BigInt(TILE_HASHES) ** BigInt(level)];
    this.#doubt({ first: at * each, end: (at + BigInt(more) + 1n) * each });
  }

  #doubt(stretch: Stretch): void {
    const isMuch = this.#doubted.length >= MOST_DOUBTED;
    this.#doubted = isMuch ? [{ first: 0n, end: this.#size }] : [...this.#doubted, stretch];
  }

  #vouch(size: bigint): void {
    if (size > this.#vouched) this.#vouched = size;
  }

  #believe(
    first: bigint,
    own: Uint8Array,
    { index, more = 0 }: { readonly index: bigint; readonly more?: number | undefined },
  ) {
    for (let leaf = index; leaf <= index + BigInt(more) && this.believed.size < MOST_BELIEVED; leaf++) {
      const at = Number(leaf - first) * HASH_BYTES;
      this.believed.set(leaf, own.slice(at, at + HASH_BYTES));
    }
  }

  /**
   * Leaves and tile disagree, and a third says what they were: the tile above, or for the last tile, which has none, the root
   * that is stated for the whole tree. Undefined: it says the leaves, or nothing.
   */
  async #vouchedFor(derived: DerivedTile, stored: Uint8Array): Promise<Uint8Array | undefined> {
    if (stored.length !== derived.hashes.length) return undefined;
    const { level, index } = derived;
    if (stored.length < TILE_HASHES * HASH_BYTES) {
      const head = this.#heads.find(({ size }) => size === this.#tree.size);
      return head !== undefined && same(this.#tree.root({ level, index, hashes: stored }), head.root)
        ? stored
        : undefined;
    }
    const [above, at] = [index / BigInt(TILE_HASHES), Number(index % BigInt(TILE_HASHES)) * HASH_BYTES];
    const tile = await this.#tiles?.tile(1, above, tileHashes(1, above, this.#size)).catch(() => undefined);
    const hash = tile?.subarray(at, at + HASH_BYTES) ?? new Uint8Array();
    return provenHashes(hash, stored, derived.hashes);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
