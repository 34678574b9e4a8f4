import { Malformed, Unavailable } from "@chancery/fault";
import {
  HASH_SIZE,
  HashTile,
  type HashReader,
  type NodeCoordinate,
  type TileCoordinate,
  tileHashReader,
} from "@chancery/tlog";
import type { LogReader, TileName } from "./store.ts";

/** 4,096 full tiles with the nodes in them: the upper levels of any log, and what was read last of the lowest. */
const CACHED_TILES = 4096;
const RETRY_AFTER = 5;

/** Of a tree that was published and is not wholly there: no mistake of who asks. */
export class MissingHashes extends Unavailable {}

/**
 * Tiles, from memory where it can be. A tile only ever grows at its end, so whatever was read once stays
 * right for as many hashes as it has. All tiles asked for in one turn are read in one query.
 */
export class TileReads {
  readonly #reader: LogReader;
  readonly #cache = new Map<string, HashTile>();
  #wanted = new Map<string, { tile: TileName; answer: PromiseWithResolvers<Uint8Array> }>();

  constructor(reader: LogReader) {
    this.#reader = reader;
  }

  /** Nodes of the tree of this size. */
  hashes(size: bigint): HashReader {
    return tileHashReader((tile) => this.#hashTile(tile), size);
  }

  /** The first `width` hashes of a tile, concatenated. */
  async tile(tile: TileCoordinate): Promise<Uint8Array> {
    const { hashes } = await this.#hashTile(tile);
    return hashes.subarray(0, tile.width * HASH_SIZE);
  }

  async #hashTile({ level, index, width }: TileCoordinate): Promise<HashTile> {
    const name = `${level}/${index}`;
    const bytes = width * HASH_SIZE;
    const cached = this.#cached(name);
    if (cached !== undefined && cached.hashes.length >= bytes) return cached;
    const tile = this.#keep(name, await this.#want(name, { level, index }));
    if (tile.hashes.length < bytes) {
      throw new MissingHashes(
        `tile ${name}: the database does not have the ${width} hashes that were published`,
        RETRY_AFTER,
      );
    }
    return tile;
  }

  #want(name: string, tile: TileName): Promise<Uint8Array> {
    const known = this.#wanted.get(name);
    if (known !== undefined) return known.answer.promise;
    const answer = Promise.withResolvers<Uint8Array>();
    if (this.#wanted.size === 0) queueMicrotask(() => void this.#readWanted());
    this.#wanted.set(name, { tile, answer });
    return answer.promise;
  }

  async #readWanted(): Promise<void> {
    const wanted = [...this.#wanted.values()];
    this.#wanted = new Map();
    try {
      const tiles = await this.#reader.tiles(wanted.map(({ tile }) => tile));
      for (const [at, { answer }] of wanted.entries()) answer.resolve(tiles[at] ?? new Uint8Array());
    } catch (error) {
      for (const { answer } of wanted) answer.reject(error);
    }
  }

  #cached(name: string): HashTile | undefined {
    const tile = this.#cache.get(name);
    if (tile === undefined) return undefined;
    // A Map keeps the order of insertion: what was used last stands last.
    this.#cache.delete(name);
    this.#cache.set(name, tile);
    return tile;
  }

  #keep(name: string, hashes: Uint8Array): HashTile {
    const known = this.#cached(name);
    if (known !== undefined) {
      known.grow(hashes);
      return known;
    }
    const tile = new HashTile(hashes);
    this.#cache.set(name, tile);
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > CACHED_TILES && oldest !== undefined) this.#cache.delete(oldest);
    return tile;
  }
}

/** A reader that hashes each node once, for the proofs of a whole batch, which share most of theirs. */
export function remembering(read: HashReader): HashReader {
  const known = new Map<string, Promise<Uint8Array>>();
  const one = async (node: NodeCoordinate): Promise<Uint8Array> => {
    const [hash] = await read([node]);
    if (hash === undefined) throw new Malformed("tile: has no such node");
    return hash;
  };
  return async (nodes) =>
    await Promise.all(
      nodes.map((node) => {
        const name = `${node.level}/${node.index}`;
        const hash = known.get(name) ?? one(node);
        known.set(name, hash);
        return hash;
      }),
    );
}
