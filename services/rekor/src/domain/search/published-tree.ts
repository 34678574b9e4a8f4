import { equalBytes } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import type { LogReader } from "@chancery/log";
import {
  edgeRoot,
  HASH_SIZE,
  HashTile,
  leafHash,
  rangeNodes,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TreeHead,
  tileWidth,
} from "@chancery/tlog";
import type { VouchedTree } from "./held-page.ts";

type Reader = Pick<LogReader, "tiles" | "leaves">;

/**
 * The tree of a head that somebody vouches for, from the tiles that are stored: each is believed only if it leads to the
 * root. One tile of each level is kept; below one that is damaged nothing is vouched for.
 */
export class PublishedTree implements VouchedTree {
  readonly size: bigint;
  readonly #head: TreeHead;
  readonly #reader: Reader;
  readonly #tiles = new Map<number, { readonly index: bigint; readonly hashes: Uint8Array | undefined }>();
  #edge: Promise<readonly Uint8Array[] | undefined> | undefined;

  constructor(reader: Reader, head: TreeHead) {
    this.size = head.size;
    this.#head = head;
    this.#reader = reader;
  }

  async tile(index: bigint, ofEntries: Uint8Array, stored: () => Promise<Uint8Array>): Promise<Uint8Array | undefined> {
    if (this.#width(0, index) < TILE_WIDTH) return (await this.#provenEdge())?.[0];
    const above = await this.#above(0, index);
    if (above === undefined) return undefined;
    if (isWhole(ofEntries, above)) return ofEntries;
    const tile = await stored();
    return isWhole(tile, above) ? tile : undefined;
  }

  /** The hash of a full tile, as the tile above it has it. */
  async #above(level: number, index: bigint): Promise<Uint8Array | undefined> {
    const at = Number(index % BigInt(TILE_WIDTH)) * HASH_SIZE;
    return (await this.#inner(level + 1, index / BigInt(TILE_WIDTH)))?.subarray(at, at + HASH_SIZE);
  }

  async #inner(level: number, index: bigint): Promise<Uint8Array | undefined> {
    if (this.#width(level, index) < TILE_WIDTH) return (await this.#provenEdge())?.[level];
    const kept = this.#tiles.get(level);
    if (kept?.index === index) return kept.hashes;
    const above = await this.#above(level, index);
    const stored = above && (await this.#stored(level, index));
    const hashes = above && stored && isWhole(stored, above) ? stored : undefined;
    this.#tiles.set(level, { index, hashes });
    return hashes;
  }

  /** The tiles that are not full, the lowest first. Of the lowest its entries may tell, where it is damaged itself. */
  #provenEdge(): Promise<readonly Uint8Array[] | undefined> {
    return (this.#edge ??= this.#proveEdge());
  }

  async #proveEdge(): Promise<readonly Uint8Array[] | undefined> {
    const edge: Uint8Array[] = [];
    for (let level = 0; this.size >> BigInt(TILE_HEIGHT * level) > 0n; level++) {
      edge.push(await this.#stored(level, this.size >> BigInt(TILE_HEIGHT * (level + 1))));
    }
    if (this.#isEdge(edge)) return edge;
    const start = this.size - (this.size % BigInt(TILE_WIDTH));
    const leaves = await this.#reader.leaves(start, Number(this.size - start)).catch(noneWhereRowsAreMissing);
    const other = [Buffer.concat(leaves.map(leafHash)), ...edge.slice(1)];
    return this.#isEdge(other) ? other : undefined;
  }

  #isEdge(edge: readonly Uint8Array[]): boolean {
    const isThere = edge.every(({ length }, level) => length === HASH_SIZE * this.#lastWidth(level));
    if (!isThere) return false;
    const peaks = edge.map((hashes) => {
      const tile = new HashTile(hashes);
      const nodes = rangeNodes(0n, BigInt(hashes.length / HASH_SIZE));
      return nodes.map(({ level, index }) => tile.node(level, Number(index)));
    });
    return equalBytes(edgeRoot({ size: this.size, edge: peaks.toReversed().flat() }), this.#head.root);
  }

  async #stored(level: number, index: bigint): Promise<Uint8Array> {
    const width = this.#width(level, index);
    if (width === 0) return new Uint8Array();
    const [stored = new Uint8Array()] = await this.#reader.tiles([{ level, index: Number(index) }]);
    return stored.slice(0, width * HASH_SIZE);
  }

  #lastWidth(level: number): number {
    return this.#width(level, this.size >> BigInt(TILE_HEIGHT * (level + 1)));
  }

  #width(level: number, index: bigint): number {
    return tileWidth(level, Number(index), this.size);
  }
}

/** A database that does not answer in time has damaged nothing. */
function noneWhereRowsAreMissing(error: unknown): Uint8Array[] {
  if (error instanceof RefusedToSign) return [];
  throw error;
}

function isWhole(hashes: Uint8Array, above: Uint8Array): boolean {
  return hashes.length === TILE_WIDTH * HASH_SIZE && equalBytes(new HashTile(hashes).node(TILE_HEIGHT, 0), above);
}
