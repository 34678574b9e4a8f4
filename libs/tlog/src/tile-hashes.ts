import type { HashTile } from "./hash-tile.ts";
import type { HashReader, NodeCoordinate } from "./hash-tree.ts";
import { TILE_HEIGHT, type TileCoordinate, tileWidth } from "./tile.ts";

/** The tile; MUST hold at least `width` hashes. */
export type TileReader = (tile: TileCoordinate) => Promise<HashTile>;

/**
 * Reads nodes of the tree of `size` leaves from its hash tiles: each tile once a call, all at the
 * same time. Tiles hold every eighth level only (those of another `height` every so many); a node between
 * two is hashed from the level below.
 */
export function tileHashReader(readTile: TileReader, size: bigint, height: number = TILE_HEIGHT): HashReader {
  return async (nodes) => {
    const tiles = new Map<string, Promise<HashTile>>();
    const places = nodes.map((node) => {
      const [tile, index] = tileOf(node, size, height);
      const name = `${tile.level}/${tile.index}`;
      if (!tiles.has(name)) tiles.set(name, readTile(tile));
      return { name, level: node.level % height, index };
    });
    const read = new Map(await Promise.all([...tiles].map(async ([name, reading]) => [name, await reading] as const)));
    return places.map(({ name, level, index }) => nodeOf(read.get(name), level, index));
  };
}

/** The tile that holds a node's hash or what it is hashed from, and which of that tile's nodes of its level it is. */
function tileOf({ level, index }: NodeCoordinate, size: bigint, height: number): [TileCoordinate, number] {
  const tileLevel = Math.floor(level / height);
  const within = BigInt(height - (level % height));
  const tileIndex = Number(index >> within);
  const width = tileWidth(tileLevel, tileIndex, size, height);
  return [{ level: tileLevel, index: tileIndex, width }, Number(index & ((1n << within) - 1n))];
}

function nodeOf(tile: HashTile | undefined, level: number, index: number): Uint8Array {
  if (tile === undefined) throw new Error("a tile was not read");
  return tile.node(level, index);
}
