import type { SignedHead } from "./checkpoint.ts";
import { Difference, NOTHING } from "./difference.ts";
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
import { provenHashes } from "./proven-tile.ts";
import { leafDifferences, tileDifferences } from "./tile-difference.ts";
import { TreeCheck, type TileSource } from "./tree-check.ts";

/** The leaves of a log as they are read: MUST resolve to those of [first, end), or fewer where it ends. */
export interface LeafSource {
  read(first: bigint, end: bigint): Promise<Uint8Array[]>;
}

/** What one place shows of a log. */
export interface Shown {
  readonly tiles: TileSource;
  readonly leaves: LeafSource;
}

/** What was proven of a tree's lowest hash tiles. */
export interface VouchedTree {
  readonly size: bigint;
  /** The hashes of the one at this index, given what its entries make them and, where it is asked for, what is stored; undefined: neither. */
  tile(index: bigint, ofEntries: Uint8Array, stored: () => Promise<Uint8Array>): Promise<Uint8Array | undefined>;
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

  /**
   * This tree as it is now, for whoever reads entries from elsewhere: of a full lowest tile only the hash above it was kept,
   * so its hashes are found among what the entries make them and what is stored, or nothing says them.
   */
  vouched(): VouchedTree {
    const { size } = this;
    const last = this.partialTiles().find(({ level }) => level === 0)?.hashes;
    return {
      size,
      tile: async (index, ofEntries, stored) => {
        if (index === size / PAGE) return last;
        const above = await this.tileHash(index);
        return provenHashes(above, ofEntries, new Uint8Array()) ?? provenHashes(above, await stored(), ofEntries);
      },
    };
  }

  /** The root at a size that was passed. What is in between two kept hashes comes from what is shown, and is believed only if it fits. */
  async rootAt(size: bigint, shown: Shown): Promise<Uint8Array> {
    if (size === this.size) return this.root;
    if (size === 0n) return EMPTY_TREE_HASH;
    const [full, rest] = [Number(size / PAGE), Number(size % PAGE)];
    const above = new RederivedTree();
    for (const _ of above.add(await this.#tiles.read(0, full)));
    const part =
      rest === 0 ? [] : wholeSubtrees((await this.#lowestTile(BigInt(full), shown)).subarray(0, rest * HASH_BYTES));
    return rootOfEdge([...above.edge(), ...part]);
  }

  /** The hashes of the lowest tile at this index, as they were proven. Throws the Difference to what is there now. */
  async #lowestTile(index: bigint, shown: Shown): Promise<Uint8Array> {
    if (index === this.size / PAGE) {
      return this.partialTiles().find(({ level }) => level === 0)?.hashes ?? new Uint8Array();
    }
    const above = await this.tileHash(index);
    const tile = (await shown.tiles.tile(0, index, TILE_HASHES)) ?? new Uint8Array();
    const own = provenHashes(above, tile, new Uint8Array());
    if (own !== undefined) return own;
    const leaves = await shown.leaves.read(index * PAGE, (index + 1n) * PAGE);
    const recovered = provenHashes(above, tile, concatHashes(leaves));
    if (recovered === undefined) throw changedTile(index, above, tile);
    return recovered;
  }

  /** That these leaves, of one lowest tile, are those that were proven. Throws the Difference of the first that is not. */
  async expectLeaves(first: bigint, end: bigint, leaves: readonly Uint8Array[], shown: Shown): Promise<void> {
    const [changed] = await this.changedLeaves(first, end, leaves, shown);
    if (changed !== undefined) throw changed;
  }

  /** Those of these leaves, of one lowest tile, that are not what was proven. Throws the tile's Difference where nothing tells. */
  async changedLeaves(
    first: bigint,
    end: bigint,
    leaves: readonly Uint8Array[],
    shown: Shown,
  ): Promise<readonly Difference[]> {
    const hashes = concatHashes(leaves);
    const isWhole = leaves.length === TILE_HASHES && end - first === PAGE;
    if (isWhole && Buffer.compare(hashSubtree(hashes), await this.tileHash(first / PAGE)) === 0) return [];
    const own = await this.#lowestTile(first / PAGE, shown);
    const [from, to] = [Number(first % PAGE), Number(first % PAGE) + Number(end - first)];
    return leafDifferences(first, own.subarray(from * HASH_BYTES, to * HASH_BYTES), hashes);
  }

  /** What of a full lowest tile, its leaves, and the tiles above that it is the last of is not what was proven. */
  async changesOfTile(index: bigint, shown: Shown): Promise<readonly Difference[]> {
    const above = await this.tileHash(index);
    const tile = (await shown.tiles.tile(0, index, TILE_HASHES)) ?? new Uint8Array();
    const isSame = provenHashes(above, tile, new Uint8Array()) !== undefined;
    const leaves = await shown.leaves.read(index * PAGE, (index + 1n) * PAGE).catch((error: unknown) => {
      // What is known to be other is told, whatever cannot be read beside it.
      if (isSame) throw error;
      return [];
    });
    const found = concatHashes(leaves);
    const own = provenHashes(above, tile, found);
    const lowest =
      own === undefined
        ? [changedTile(index, above, tile)]
        : [...tileDifferences({ level: 0, index, hashes: own }, tile), ...leafDifferences(index * PAGE, own, found)];
    return [...lowest, ...(await this.changesAbove(index, shown.tiles))];
  }

  /** Of the full tiles above which this lowest one is the last of: what is not what the lowest ones make it. */
  async changesAbove(lowest: bigint, tiles: TileSource): Promise<readonly Difference[]> {
    const changes: Difference[] = [];
    for (let level = 1; level <= HIGHEST; level++) {
      const span = PAGE ** BigInt(level);
      if ((lowest + 1n) % span !== 0n) break;
      const index = lowest / span;
      const hashes = await this.#hashesBelow(level, index);
      changes.push(...tileDifferences({ level, index, hashes }, await tiles.tile(level, index, TILE_HASHES)));
    }
    return changes;
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
}

/** Which of its hashes, nothing says any more. */
function changedTile(index: bigint, above: Uint8Array, tile: Uint8Array): Difference {
  const place = { kind: "tile", level: 0, index, offset: 0, more: TILE_HASHES - 1 } as const;
  return new Difference(place, above, tile.length === TILE_HASHES * HASH_BYTES ? hashSubtree(tile) : NOTHING);
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
