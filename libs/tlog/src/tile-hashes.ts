import type { HashTile } from "./hash-tile.ts";
import type { HashReader, NodeCoordinate } from "./hash-tree.ts";
import { TILE_HEIGHT, type TileCoordinate, tileWidth } from "./tile.ts";

/** The tile; MUST hold at least `width` hashes. At once where it is known: to wait costs more than to hash. */
export type TileReader = (tile: TileCoordinate) => HashTile | Promise<HashTile>;

/**
 * Reads nodes of the tree of `size` leaves from its hash tiles: each tile once a call, all at the
 * same time. Tiles hold every eighth level only (those of another `height` every so many); a node between
 * two is hashed from the level below.
 */
export function tileHashReader(readTile: TileReader, size: bigint, height: number = TILE_HEIGHT): HashReader {
  return async (nodes) => {
    const tiles = new TilesOfCall(readTile, size, height);
    const places = nodes.map((node) => tiles.place(node));
    const read = await tiles.read();
    return places.map(({ at, level, index }) => nodeOf(read[at], level, index));
  };
}

/** Where a node's hash is, or what it is hashed from: in which of the tiles, and which of that tile's nodes of its level. */
interface Place {
  readonly at: number;
  readonly level: number;
  readonly index: number;
}

class TilesOfCall {
  readonly #readTile: TileReader;
  readonly #size: bigint;
  readonly #height: number;
  readonly #names: { readonly level: number; readonly index: number }[] = [];
  readonly #tiles: (HashTile | Promise<HashTile>)[] = [];
  #waits = false;

  constructor(readTile: TileReader, size: bigint, height: number) {
    this.#readTile = readTile;
    this.#size = size;
    this.#height = height;
  }

  place({ level, index }: NodeCoordinate): Place {
    const tileLevel = Math.floor(level / this.#height);
    const within = BigInt(this.#height - (level % this.#height));
    const tileIndex = Number(index >> within);
    const at = this.#find(tileLevel, tileIndex) ?? this.#ask(tileLevel, tileIndex);
    return { at, level: level % this.#height, index: Number(BigInt.asUintN(Number(within), index)) };
  }

  /** Those of one proof are a dozen, and the one asked for last is asked for next. */
  #find(level: number, index: number): number | undefined {
    for (let at = this.#names.length - 1; at >= 0; at--) {
      const name = this.#names[at];
      if (name?.index === index && name.level === level) return at;
    }
    return undefined;
  }

  #ask(level: number, index: number): number {
    const tile = this.#readTile({ level, index, width: tileWidth(level, index, this.#size, this.#height) });
    this.#waits ||= tile instanceof Promise;
    this.#names.push({ level, index });
    return this.#tiles.push(tile) - 1;
  }

  async read(): Promise<readonly HashTile[]> {
    return this.#waits ? await Promise.all(this.#tiles.map(async (tile) => await tile)) : (this.#tiles as HashTile[]);
  }
}

function nodeOf(tile: HashTile | undefined, level: number, index: number): Uint8Array {
  if (tile === undefined) throw new Error("a tile was not read");
  return tile.node(level, index);
}
