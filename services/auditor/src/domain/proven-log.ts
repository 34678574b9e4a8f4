import { Difference, expectEqual, NOTHING } from "./difference.ts";
import {
  type DerivedTile,
  EMPTY_TREE_HASH,
  HASH_BYTES,
  hashLeaf,
  hashSubtree,
  RederivedTree,
  rootOfEdge,
  TILE_HASHES,
  wholeSubtrees,
} from "./merkle.ts";
import { TreeCheck, type TileSource } from "./tree-check.ts";
import type { SignedHead } from "./checkpoint.ts";

/** The leaves of a log as they are read: MUST resolve to those of [first, end), or fewer where it ends. */
export interface LeafSource {
  read(first: bigint, end: bigint): Promise<Uint8Array[]>;
}

/** The hash of each full lowest tile that was ever proven, in order: 32 bytes for 256 entries. */
export interface TileMemory {
  readonly count: number;
  /** Those of tiles [first, end). */
  read(first: number, end: number): Promise<Uint8Array>;
  /** What follows `count` is not proven yet. MUST be durable when it resolves. */
  write(first: number, hashes: Uint8Array): Promise<void>;
  /** So many are proven now. */
  accept(count: number): void;
}

export interface Growing {
  /** Sees every leaf, in order, before it is known whether the tree is right. */
  readonly each?: (first: bigint, leaves: readonly Uint8Array[]) => Promise<void> | void;
  /** Asked before each page. */
  readonly isEnough?: () => boolean;
  /** How far it came, from time to time: to be given to the next ProvenLog. */
  readonly staged?: (state: ProvenState) => Promise<void>;
}

/** What is remembered beside the tiles. */
export interface ProvenState {
  readonly size: bigint;
  readonly edge: readonly DerivedTile[];
}

const PAGE = BigInt(TILE_HASHES);
/** Of a tile two levels above the lowest there are 65,536 of these to hash, 50 ms; of one above it 512 MB. */
const HIGHEST = 2;
/** Tiles that a crash makes us read again: 16,384 entries. */
const STAGE = 64;

/** Derived from leaves and compared with lowest tiles, and under no root yet. It ends with a whole tile. */
interface Staged {
  readonly tree: RederivedTree;
  /** Hashes of its last tiles that are not written. */
  readonly unwritten: readonly Uint8Array[];
}

/**
 * A log as far as it was proven: every leaf below `size` was hashed here, and a signed checkpoint commits to them all. It
 * only grows. For 10^9 entries it is 125 MB on disk and some kilobytes in memory.
 */
export class ProvenLog {
  readonly #tiles: TileMemory;
  #tree: RederivedTree;
  #root: Uint8Array | undefined;
  #staged: Staged | undefined;

  constructor({ size, edge }: ProvenState, tiles: TileMemory, staged?: ProvenState) {
    this.#tree = RederivedTree.resume(size, edge);
    this.#tiles = tiles;
    if (staged !== undefined && staged.size > size) {
      this.#staged = { tree: RederivedTree.resume(staged.size, staged.edge), unwritten: [] };
    }
  }

  get size(): bigint {
    return this.#tree.size;
  }

  get root(): Uint8Array {
    return (this.#root ??= this.#tree.root());
  }

  get state(): ProvenState {
    return stateOf(this.#tree);
  }

  /** How far what is not proven yet has come. */
  get stagedSize(): bigint {
    return this.#staged?.tree.size ?? this.size;
  }

  /** The hashes at the right edge, lowest level first: what a tree of this size shows in its tiles that are not full. */
  partialTiles(): DerivedTile[] {
    return this.#tree.partialTiles();
  }

  /** The hash that the full lowest tile at this index had when it was proven. */
  async tileHash(index: bigint): Promise<Uint8Array> {
    return this.#tiles.read(Number(index), Number(index) + 1);
  }

  /**
   * Grows to the last of these heads (by size, all larger than what is proven): the new leaves are read, hashed, compared
   * with the tiles above them, and MUST lead to the root that each head states. Throws the first Difference, and nothing is
   * proven by it then. Resolves to whether it came to the end. What was read before it ended or failed is not read again,
   * unless it cannot be what the root commits to.
   */
  async grow(
    heads: readonly SignedHead[],
    leaves: LeafSource,
    tiles: TileSource,
    { each = () => {}, isEnough = () => false, staged = async () => {} }: Growing = {},
  ): Promise<boolean> {
    const last = heads.at(-1);
    if (last === undefined) return true;
    if (this.stagedSize > last.size) this.#staged = undefined;
    const tree = (this.#staged?.tree ?? this.#tree).copy();
    const unwritten = [...(this.#staged?.unwritten ?? [])];
    const derived = ({ level, hashes }: DerivedTile) => void (level === 0 && unwritten.push(hashSubtree(hashes)));
    const stated = heads.map(({ size, root }) => ({ by: "checkpoint" as const, size, root }));
    const check = new TreeCheck(last.size, stated, tiles, { from: tree, derived });
    for (let next = tree.size; next < last.size; next = tree.size) {
      if (isEnough()) return false;
      const end = (next / PAGE + 1n) * PAGE;
      const page = await leaves.read(next, end < last.size ? end : last.size);
      if (page.length === 0) throw new Difference({ kind: "entry", index: next, field: "leaf" }, "an entry", NOTHING);
      await each(next, page);
      await this.#unlessOther(check.add(concatHashes(page)));
      if (tree.size % PAGE !== 0n) continue;
      if (unwritten.length >= STAGE) {
        await this.#write(tree, unwritten.splice(0));
        await staged(stateOf(tree));
      }
      this.#staged = { tree: tree.copy(), unwritten: [...unwritten] };
    }
    await this.#unlessOther(check.finish());
    await this.#write(tree, unwritten);
    this.#tiles.accept(Number(tree.size / PAGE));
    this.#tree = tree;
    this.#root = undefined;
    this.#staged = undefined;
    return true;
  }

  async #write(tree: RederivedTree, hashes: readonly Uint8Array[]): Promise<void> {
    await this.#tiles.write(Number(tree.size / PAGE) - hashes.length, Buffer.concat(hashes));
  }

  /** A leaf and its lowest tile are read again; what is above them says that something before may have been another. */
  async #unlessOther(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const place = error instanceof Difference ? error.place : undefined;
      const isHere = place?.kind === "entry" || (place?.kind === "tile" && place.level === 0);
      if (place !== undefined && !isHere) this.#staged = undefined;
      throw error;
    }
  }

  /** The root at a size that was passed. What is in between two kept hashes comes from `tiles`, and is believed only if it fits. */
  async rootAt(size: bigint, tiles: TileSource): Promise<Uint8Array> {
    if (size === this.size) return this.root;
    if (size === 0n) return EMPTY_TREE_HASH;
    const [full, rest] = [Number(size / PAGE), Number(size % PAGE)];
    const above = new RederivedTree();
    for (const _ of above.add(await this.#tiles.read(0, full)));
    const part =
      rest === 0 ? [] : wholeSubtrees((await this.#lowestTile(BigInt(full), tiles)).subarray(0, rest * HASH_BYTES));
    return rootOfEdge([...above.edge(), ...part]);
  }

  /** The hashes of the lowest tile at this index, as they were proven. Throws the Difference to what is there now. */
  async #lowestTile(index: bigint, tiles: TileSource): Promise<Uint8Array> {
    if (index === this.size / PAGE)
      return this.partialTiles().find(({ level }) => level === 0)?.hashes ?? new Uint8Array();
    const now = await tiles.tile(0, index, TILE_HASHES);
    await this.expectTile(index, now);
    return now ?? new Uint8Array();
  }

  /** That these leaves, of one lowest tile, are those that were proven. Throws the Difference of the first that is not. */
  async expectLeaves(first: bigint, end: bigint, leaves: readonly Uint8Array[], tiles: TileSource): Promise<void> {
    const hashes = concatHashes(leaves);
    const whole = leaves.length === TILE_HASHES && end - first === PAGE;
    if (whole && Buffer.compare(hashSubtree(hashes), await this.tileHash(first / PAGE)) === 0) return;
    const own = await this.#lowestTile(first / PAGE, tiles);
    for (let index = first; index < end; index++) {
      const [at, place] = [Number(index - first) * HASH_BYTES, Number(index % PAGE) * HASH_BYTES];
      const expected = own.subarray(place, place + HASH_BYTES);
      expectEqual({ kind: "entry", index, field: "leaf" }, expected, hashes.subarray(at, at + HASH_BYTES));
    }
  }

  /** That the full tiles above which this lowest one is the last of are what the lowest ones make them. */
  async expectTilesAbove(lowest: bigint, tiles: TileSource): Promise<void> {
    for (let level = 1; level <= HIGHEST; level++) {
      const span = PAGE ** BigInt(level);
      if ((lowest + 1n) % span !== 0n) return;
      const index = lowest / span;
      const hashes = await this.#hashesBelow(level, index);
      const now = await tiles.tile(level, index, TILE_HASHES);
      for (let offset = 0; offset < TILE_HASHES; offset++) {
        const [at, end] = [offset * HASH_BYTES, (offset + 1) * HASH_BYTES];
        const found = now?.subarray(at, end) ?? NOTHING;
        expectEqual({ kind: "tile", level, index, offset }, hashes.subarray(at, end), found);
      }
    }
  }

  async #hashesBelow(level: number, index: bigint): Promise<Uint8Array> {
    const span = TILE_HASHES ** level;
    const below = await this.#tiles.read(Number(index) * span, (Number(index) + 1) * span);
    if (level === 1) return below;
    const each = below.length / TILE_HASHES;
    return Buffer.concat(
      Array.from({ length: TILE_HASHES }, (_, at) => hashSubtree(below.subarray(at * each, (at + 1) * each))),
    );
  }

  /** That a full lowest tile is still what it was. */
  async expectTile(index: bigint, now: Uint8Array | undefined): Promise<void> {
    const place = { kind: "tile", level: 0, index, offset: 0 } as const;
    const whole = now?.length === TILE_HASHES * HASH_BYTES;
    expectEqual(place, await this.tileHash(index), whole ? hashSubtree(now) : NOTHING);
  }
}

function stateOf(tree: RederivedTree): ProvenState {
  return { size: tree.size, edge: tree.partialTiles() };
}

/** The root that the tiles at the right edge of a tree lead to, if they are all there. */
export async function rootOfTiles(size: bigint, tiles: TileSource): Promise<Uint8Array | undefined> {
  const edge: Uint8Array[] = [];
  for (let level = 0; size >> BigInt(8 * level) > 0n; level++) {
    const [index, count] = [size >> BigInt(8 * (level + 1)), Number((size >> BigInt(8 * level)) & 255n)];
    if (count === 0) continue;
    const tile = await tiles.tile(level, index, count);
    if (tile?.length !== count * HASH_BYTES) return undefined;
    edge.unshift(...wholeSubtrees(tile));
  }
  return rootOfEdge(edge);
}

function concatHashes(leaves: readonly Uint8Array[]): Uint8Array {
  const hashes = new Uint8Array(leaves.length * HASH_BYTES);
  for (const [at, leaf] of leaves.entries()) hashes.set(hashLeaf(leaf), at * HASH_BYTES);
  return hashes;
}
