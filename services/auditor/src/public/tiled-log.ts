import { type LogIdentity, openCheckpoint } from "../domain/checkpoint.ts";
import { Difference, NOTHING } from "../domain/difference.ts";
import { isText, member } from "../domain/json-member.ts";
import { HASH_BYTES, hashLeaf, TILE_HASHES, tileHashes } from "../domain/merkle.ts";
import type { CleanLog, Progress } from "../domain/progress.ts";
import { readAhead } from "../domain/read-ahead.ts";
import { type TileSource, TreeCheck } from "../domain/tree-check.ts";
import type { HttpLog } from "./http-log.ts";

/** Requests under way: a round trip each, so that the log and not the distance sets the pace. */
const AHEAD = 8;

/** How a log that serves hash tiles serves its leaves. */
export interface LeafPages {
  readonly each: number;
  /** As many as there are; the caller counts. */
  read(first: number, end: number): Promise<Uint8Array[]>;
}

/** What a reader from outside has no means to hold against anything. */
export const INSIDE = ["times, what stands beside leaves, what entries are found by, the anchor (fsck from inside)"];

/** Reads a log of c2sp.org/tlog-tiles from outside: checkpoint, every hash tile, every leaf. Throws the first Difference. */
export async function checkTiledLog(
  log: HttpLog,
  identity: LogIdentity,
  leaves: LeafPages,
  progress: Progress = () => {},
): Promise<CleanLog> {
  const note = await log.get("/checkpoint");
  // As likely a wrong URL as a log that hides: what cannot be read is not called a difference.
  if (note === undefined) throw log.notAnAnswer("/checkpoint", "there is no log here");
  const { size, root } = openCheckpoint(note, identity);
  const check = new TreeCheck(size, [{ by: "checkpoint", size, root }], new TilesAhead(servedTiles(log), size));
  const total = Number(size);
  const read = async (page: number) => {
    const first = page * leaves.each;
    const end = Math.min(first + leaves.each, total);
    const pageLeaves = await leaves.read(first, end);
    if (pageLeaves.length >= end - first) return pageLeaves.slice(0, end - first);
    const missing = BigInt(first + pageLeaves.length);
    throw new Difference({ kind: "entry", index: missing, field: "leaf" }, "an entry", NOTHING);
  };
  let done = 0n;
  for await (const page of readAhead(Math.ceil(total / leaves.each), AHEAD, read)) {
    await check.add(Buffer.concat(page.map(hashLeaf)));
    done += BigInt(page.length);
    progress("entries", done, size);
  }
  await check.finish();
  return { size, root, checked: [`checkpoint of size ${size}`, "entries", "tiles"], unchecked: INSIDE, notes: [] };
}

export function servedTiles(log: HttpLog): TileSource {
  return { tile: (level, index, width) => partOrWhole(log, `/tile/${level}`, index, width) };
}

/** Lowest tiles are asked for in their order, one for each 256 leaves: to wait for each would be a round trip apiece. */
class TilesAhead implements TileSource {
  readonly #tiles: TileSource;
  readonly #size: bigint;
  readonly #reading = new Map<bigint, Promise<Uint8Array | undefined>>();

  constructor(tiles: TileSource, size: bigint) {
    this.#tiles = tiles;
    this.#size = size;
  }

  async tile(level: number, index: bigint, width: number): Promise<Uint8Array | undefined> {
    if (level > 0) return await this.#tiles.tile(level, index, width);
    for (let next = index; next < index + BigInt(AHEAD); next++) {
      const hashes = tileHashes(0, next, this.#size);
      if (hashes === 0 || this.#reading.has(next)) continue;
      const reading = this.#tiles.tile(0, next, hashes);
      // Told to who asks for it, if anyone still does.
      reading.catch(() => {});
      this.#reading.set(next, reading);
    }
    const reading = this.#reading.get(index);
    this.#reading.delete(index);
    return await reading;
  }
}

/** c2sp.org/tlog-tiles, "Log Entries". */
export function entryBundles(log: HttpLog): LeafPages {
  return {
    each: TILE_HASHES,
    read: async (first, end) => {
      const path = `/tile/entries`;
      const bundle = await bytesOf(log, path, BigInt(first / TILE_HASHES), end - first);
      return bundle === undefined ? [] : unpackBundle(log, path, bundle.bytes);
    },
  };
}

/** RFC 6962, Section 4.6: a log may answer with fewer than it was asked for. */
export function getEntries(log: HttpLog): LeafPages {
  return {
    each: 1_000,
    read: async (first, end) => {
      const leaves: Uint8Array[] = [];
      while (first + leaves.length < end) {
        const path = `/ct/v1/get-entries?start=${first + leaves.length}&end=${end - 1}`;
        const entries = member((await log.getJson(path)) ?? { entries: [] }, "entries", Array.isArray);
        if (entries.length === 0) break;
        leaves.push(...entries.map((entry) => Buffer.from(member(entry, "leaf_input", isText), "base64")));
      }
      return leaves;
    },
  };
}

async function partOrWhole(log: HttpLog, folder: string, index: bigint, width: number) {
  const found = await bytesOf(log, folder, index, width);
  // A full tile that came for a partial one has more than the tree of our checkpoint.
  return found?.whole === true ? found.bytes.subarray(0, width * HASH_BYTES) : found?.bytes;
}

/** "a partial tile MAY be deleted once the full one is there": then that one is asked for. */
async function bytesOf(log: HttpLog, folder: string, index: bigint, width: number) {
  const path = `${folder}/${tileName(index)}`;
  const bytes = await log.get(width === TILE_HASHES ? path : `${path}.p/${width}`);
  if (bytes !== undefined || width === TILE_HASHES) return bytes && { bytes, whole: false };
  const whole = await log.get(path);
  return whole && { bytes: whole, whole: true };
}

/** "the index, zero-padded to groups of three digits, all but the last with an x before them". */
function tileName(index: bigint): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
  return padded.replaceAll(/\d{3}(?=\d)/g, "x$&/");
}

/** `opaque entry<0..2^16-1>`, one after the other. */
function unpackBundle(log: HttpLog, path: string, bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 <= bytes.length ? at + 2 + view.getUint16(at) : Infinity;
    if (end > bytes.length) throw log.notAnAnswer(path, "a bundle ends in the middle of an entry");
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
