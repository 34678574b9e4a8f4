import { Malformed } from "@chancery/fault";
import type { HashReader, NodeCoordinate } from "./hash-tree.ts";
import { HASH_SIZE, nodeHash } from "./merkle.ts";
import { TILE_HEIGHT, TILE_WIDTH, type TileCoordinate, tileWidth } from "./tile.ts";

/** The tile's hashes, concatenated; MUST hold at least `width` of them. */
export type TileReader = (tile: TileCoordinate) => Promise<Uint8Array>;

/**
 * Reads nodes of the tree of `size` leaves from its hash tiles: each tile once a call, all at the
 * same time. Tiles hold every eighth level only; a node between two is hashed from the level below
 * it, at most 128 hashes of one tile.
 */
export function tileHashReader(readTile: TileReader, size: bigint): HashReader {
  return async (nodes) => {
    const tiles = new Map<string, Promise<Uint8Array>>();
    return Promise.all(
      nodes.map(async (node) => {
        const [tile, first] = tileOf(node, size);
        const name = `${tile.level}/${tile.index}`;
        const reading = tiles.get(name) ?? readTile(tile);
        tiles.set(name, reading);
        return subtreeHash(await reading, first, 1 << (node.level % TILE_HEIGHT));
      }),
    );
  };
}

/** The tile that holds a node's hash or what it is hashed from, and where in the tile that begins. */
function tileOf({ level, index }: NodeCoordinate, size: bigint): [TileCoordinate, number] {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const first = index << BigInt(level % TILE_HEIGHT);
  const tileIndex = Number(first / BigInt(TILE_WIDTH));
  const width = tileWidth(tileLevel, tileIndex, size);
  return [{ level: tileLevel, index: tileIndex, width }, Number(first % BigInt(TILE_WIDTH))];
}

function subtreeHash(tile: Uint8Array, first: number, count: number): Uint8Array {
  if ((first + count) * HASH_SIZE > tile.length) throw new Malformed("tile: is shorter than its tree needs");
  if (count === 1) return tile.slice(first * HASH_SIZE, (first + 1) * HASH_SIZE);
  return nodeHash(subtreeHash(tile, first, count / 2), subtreeHash(tile, first + count / 2, count / 2));
}
