import { Malformed } from "@chancery/fault";
import { HASH_SIZE, type HashReader, type NodeCoordinate, type TileCoordinate, tileHashReader } from "@chancery/tlog";
import type { LogReader, TileName } from "./store.ts";

/** 4,096 full tiles: the upper levels of any log, and the lowest level of its youngest million entries. */
const CACHE_BYTES = 32 * 1024 * 1024;

/**
 * Tiles, from memory where it can be. A tile only ever grows at its end, so whatever was read once stays
 * right for as many hashes as it has. All tiles asked for in one turn are read in one query.
 */
export class TileReads {
  readonly #reader: LogReader;
  readonly #cache = new Map<string, Uint8Array>();
  #cachedBytes = 0;
  #wanted = new Map<string, { tile: TileName; answer: PromiseWithResolvers<Uint8Array> }>();

  constructor(reader: LogReader) {
    this.#reader = reader;
  }

  /** Nodes of the tree of this size. */
  hashes(size: bigint): HashReader {
    return tileHashReader((tile) => this.tile(tile), size);
  }

  async tile({ level, index, width }: TileCoordinate): Promise<Uint8Array> {
    const name = `${level}/${index}`;
    const bytes = width * HASH_SIZE;
    let hashes = this.#cached(name);
    if (hashes === undefined || hashes.length < bytes) {
      hashes = await this.#want(name, { level, index });
      this.#keep(name, hashes);
    }
    if (hashes.length < bytes) throw new Malformed(`tile ${name}: has fewer than ${width} hashes`);
    return hashes.length === bytes ? hashes : hashes.subarray(0, bytes);
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

  #cached(name: string): Uint8Array | undefined {
    const hashes = this.#cache.get(name);
    if (hashes === undefined) return undefined;
    // A Map keeps the order of insertion: what was used last stands last.
    this.#cache.delete(name);
    this.#cache.set(name, hashes);
    return hashes;
  }

  #keep(name: string, hashes: Uint8Array): void {
    this.#cachedBytes += hashes.length - (this.#cache.get(name)?.length ?? 0);
    this.#cache.delete(name);
    this.#cache.set(name, hashes);
    for (const [oldest, { length }] of this.#cache) {
      if (this.#cachedBytes <= CACHE_BYTES) return;
      this.#cache.delete(oldest);
      this.#cachedBytes -= length;
    }
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
