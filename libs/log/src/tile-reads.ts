import { Malformed } from "@chancery/fault";
import {
  HASH_SIZE,
  HashTile,
  type HashReader,
  type InclusionProof,
  inclusionProof,
  type NodeCoordinate,
  type RightEdge,
  TILE_HEIGHT,
  type TileCoordinate,
  tileHashReader,
} from "@chancery/tlog";
import { RecentlyUsed } from "./recently-used.ts";
import { type LogReader, MissingRows, PART_WIDTH, type TileName } from "./store.ts";

/** Proofs read the tree as tiles of sixteen hashes, two of them in the height of one that is stored. */
const PART_HEIGHT = TILE_HEIGHT / 2;
/** Parts that are stored: those of the upper levels of any log, and what was read last of the lowest. About 12 MB. */
const STORED_PARTS = 8_192;
/** Middles of stored tiles: those of any log of up to 4 million entries. About 45 MB. */
const MIDDLE_PARTS = 32_768;
/** 8 MB. */
const WHOLE_TILES = 1_024;
/** What was damaged in the database when it was read, and is mended there, is not served for ever. */
const KEPT_MS = 60_000;

/**
 * Tiles, from memory where it can be. A published tile only ever grows at its end, so whatever was read of it once
 * stays right for as many hashes as it has. All that is asked for in one turn is read in one query.
 *
 * A proof takes eight nodes of a tile of 256 hashes, one of which is hashed from 128 of them. Of what is between, the
 * sixteen nodes half-way up are kept: with those it takes 512 bytes and 30 hashes where it took 8 kB and 247, and a
 * megabyte keeps as much of the tree as sixteen did.
 */
export class TileReads {
  readonly #reader: Pick<LogReader, "tiles">;
  readonly #parts = [new RecentlyUsed<HashTile>(STORED_PARTS), new RecentlyUsed<HashTile>(MIDDLE_PARTS)] as const;
  readonly #tiles = new RecentlyUsed<{ readonly hashes: Uint8Array; readonly at: number }>(WHOLE_TILES);
  readonly #elapsed: () => number;
  #edge: { readonly size: bigint; readonly known: RightEdge } = { size: 0n, known: new Map() };
  #wanted = new Map<string, { tile: TileName; answer: PromiseWithResolvers<Uint8Array> }>();

  /** `elapsed`: milliseconds that nobody can set. */
  constructor(reader: Pick<LogReader, "tiles">, elapsed: () => number = () => performance.now()) {
    this.#reader = reader;
    this.#elapsed = elapsed;
  }

  /** Nodes of the tree of this size. */
  hashes(size: bigint): HashReader {
    return tileHashReader((part) => this.#part(part), size, PART_HEIGHT);
  }

  /** In the tree of a size that was published: what its proofs share is made once, until another size is asked for. */
  async inclusionProof(index: bigint, size: bigint): Promise<InclusionProof> {
    if (this.#edge.size !== size) this.#edge = { size, known: new Map() };
    return await inclusionProof(index, size, this.hashes(size), this.#edge.known);
  }

  /** The first `width` hashes of a tile, concatenated. */
  async tile({ level, index, width }: TileCoordinate): Promise<Uint8Array> {
    const name = `${level}/${index}`;
    const bytes = width * HASH_SIZE;
    const known = this.#tiles.get(name);
    const at = this.#elapsed();
    if (known !== undefined && known.hashes.length >= bytes && at - known.at < KEPT_MS) {
      return known.hashes.subarray(0, bytes);
    }
    const hashes = expectHashes(await this.#want({ level, index }), bytes, name);
    this.#tiles.set(name, { hashes, at });
    return hashes;
  }

  #part({ level, index, width }: TileCoordinate): HashTile | Promise<HashTile> {
    const known = this.#parts[level % 2 === 1 ? 1 : 0].get(`${level}/${index}`);
    const bytes = width * HASH_SIZE;
    return known !== undefined && known.hashes.length >= bytes ? known : this.#readPart(level, index, bytes);
  }

  async #readPart(level: number, index: number, bytes: number): Promise<HashTile> {
    const isMiddle = level % 2 === 1;
    const name = `${level}/${index}`;
    const above = Math.floor(level / 2);
    const hashes = isMiddle
      ? middleOf(await this.#want({ level: above, index }))
      : await this.#want({ level: above, index: Math.floor(index / PART_WIDTH), part: index % PART_WIDTH });
    const part = new HashTile(expectHashes(hashes, bytes, name), PART_HEIGHT);
    this.#parts[isMiddle ? 1 : 0].set(name, part);
    return part;
  }

  #want(tile: TileName): Promise<Uint8Array> {
    const name = nameOf(tile);
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
}
function nameOf({ level, index, part }: TileName): string {
  return `${level}/${index}/${part}`;
}

/** The nodes half-way up a tile that are complete. */
function middleOf(hashes: Uint8Array): Uint8Array {
  const tile = new HashTile(hashes);
  const count = Math.floor(hashes.length / HASH_SIZE / PART_WIDTH);
  const middle = new Uint8Array(count * HASH_SIZE);
  for (let at = 0; at < count; at++) middle.set(tile.node(PART_HEIGHT, at), at * HASH_SIZE);
  return middle;
}

/**
 * No more than were asked for, which a published tree has. What is stored beyond is not signed yet, and a database that
 * fails over before it is may lose it: other hashes then come to stand there.
 */
function expectHashes(hashes: Uint8Array, bytes: number, name: string): Uint8Array {
  if (hashes.length >= bytes) return hashes.length === bytes ? hashes : hashes.slice(0, bytes);
  const width = bytes / HASH_SIZE;
  throw new MissingRows(`tile ${name}: the database does not have the ${width} hashes that were published`);
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
