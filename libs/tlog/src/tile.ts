import { TlsReader } from "@chancery/encoding";
import { Malformed, TooLarge } from "@chancery/fault";

/** Hashes in a full tile, entries in a full bundle. c2sp.org/tlog-tiles fixes it. */
export const TILE_WIDTH = 256;

/** What the two-byte length of an entry bundle can say. */
export const MAX_BUNDLED_ENTRY_BYTES = 65_535;

/** Tree levels in a tile level: tile level L holds the nodes of tree level 8 * L. */
export const TILE_HEIGHT = 8;

/**
 * A hash tile of `width` hashes; a partial one (`width` below 256) exists only at the right edge. An
 * entry bundle is named the same way, without a level.
 */
export interface TileCoordinate {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

export type EntryBundleCoordinate = Omit<TileCoordinate, "level">;

/** How many hashes the tile has in a tree of `size` leaves; 0 where it does not exist yet. */
export function tileWidth(level: number, index: number, size: bigint, height: number = TILE_HEIGHT): number {
  const full = 1n << BigInt(height);
  const beyond = (size >> BigInt(height * level)) - BigInt(index) * full;
  return beyond <= 0n ? 0 : Number(beyond < full ? beyond : full);
}

/** `tile/<L>/<N>[.p/<W>]`. c2sp.org/tlog-tiles, "Merkle Tree". */
export function encodeTilePath(tile: TileCoordinate): string {
  return `tile/${tile.level}/${encodePlace(tile)}`;
}

/** `tile/entries/<N>[.p/<W>]`. c2sp.org/tlog-tiles, "Log Entries". */
export function encodeEntryBundlePath(bundle: EntryBundleCoordinate): string {
  return `tile/entries/${encodePlace(bundle)}`;
}

/**
 * The one spelling of each coordinate; no other is taken, so that no cache, proxy or file system can
 * be led to a second name for it, or out of its folder.
 */
export function parseTilePath(path: string): TileCoordinate {
  const match = /^tile\/(0|[1-9]\d?)\/([^]*)$/.exec(path);
  if (match?.[1] === undefined || match[2] === undefined) throw new Malformed("tile path: is not tile/<L>/<N>");
  const level = Number(match[1]);
  if (level > 63) throw new Malformed("tile path: level is above 63");
  return { level, ...parsePlace(match[2]) };
}

export function parseEntryBundlePath(path: string): EntryBundleCoordinate {
  const prefix = "tile/entries/";
  if (!path.startsWith(prefix)) throw new Malformed("entry bundle path: is not tile/entries/<N>");
  return parsePlace(path.slice(prefix.length));
}

/** Entries as `opaque entry<0..2^16-1>`, one after the other. c2sp.org/tlog-tiles, "Log Entries". */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0 || entries.length > TILE_WIDTH) {
    throw new Malformed(`entry bundle: has ${entries.length} entries`);
  }
  const oversized = entries.findIndex((entry) => entry.length > MAX_BUNDLED_ENTRY_BYTES);
  if (oversized >= 0) throw new TooLarge(`entry bundle: entry ${oversized} is above ${MAX_BUNDLED_ENTRY_BYTES} bytes`);
  // At once: as vectors of their own, which are then joined, an entry took three allocations.
  const bundle = new Uint8Array(entries.reduce((length, entry) => length + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    bundle[at] = entry.length >> 8;
    bundle[at + 1] = entry.length & 0xff;
    bundle.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bundle;
}

export function parseEntryBundle(bytes: Uint8Array, field = "entry bundle"): Uint8Array[] {
  const reader = new TlsReader(bytes, field);
  const entries: Uint8Array[] = [];
  while (!reader.done()) {
    if (entries.length === TILE_WIDTH) throw new Malformed(`${field}: has more than ${TILE_WIDTH} entries`);
    entries.push(reader.opaque16());
  }
  if (entries.length === 0) throw new Malformed(`${field}: is empty`);
  return entries;
}

function encodePlace({ index, width }: EntryBundleCoordinate): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/\d{3}/g) ?? [];
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join("/");
  return width === TILE_WIDTH ? path : `${path}.p/${width}`;
}

function parsePlace(text: string): EntryBundleCoordinate {
  // Six groups hold every index below 2^53; more would be no tile of any log.
  const match = /^((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(text);
  if (match?.[1] === undefined) throw new Malformed("tile path: index or width is malformed");
  const index = Number(match[1].replaceAll(/[x/]/g, ""));
  const width = match[2] === undefined ? TILE_WIDTH : Number(match[2]);
  if (!Number.isSafeInteger(index)) throw new Malformed("tile path: index is too large");
  if (match[2] !== undefined && width >= TILE_WIDTH) throw new Malformed("tile path: partial width is not 1 to 255");
  if (encodePlace({ index, width }) !== text) throw new Malformed("tile path: index has leading zeros");
  return { index, width };
}
