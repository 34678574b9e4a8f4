import { encodeHex, equalBytes } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

/**
 * The columns of the search table. A row has room for one key of each, so that what most entries have is one row with
 * one header: 402 bytes with its indexes for three keys and four terms, where a row a key took 125 bytes for each.
 *
 * `key…`, 16 bytes: an entry that has it is said to be found. By chance two keys of 10^9 entries agree in half of a
 * SHA-256 once in 10^19 logs; to be found under someone else's key takes a second preimage, 2^128 hashes; the two that
 * can be made to agree with 2^64 are both one's own.
 *
 * `term…`, 8 bytes: an entry that has it may be meant. Who asks MUST look at the entry, which says itself whose it is.
 */
export const SEARCH_COLUMNS = ["key0", "key1", "key2", "term0", "term1", "term2", "term3"] as const;
export type SearchColumn = (typeof SEARCH_COLUMNS)[number];

export interface SearchKey {
  readonly column: SearchColumn;
  readonly bytes: Uint8Array;
}

/** A name whose entries can be asked for by how it begins, and the key of 16 bytes that they all have. */
export interface SearchName {
  /** As it is compared: octet by octet. At most 512 of them; of a longer name the first. */
  readonly name: string;
  readonly key: Uint8Array;
}

/** Entries that have one key of each group. */
export interface KeySearch {
  readonly groups: readonly (readonly SearchKey[])[];
  /** Indexes from `begin` to before `end`. */
  readonly begin: bigint;
  readonly end: bigint;
  readonly order: "newest" | "oldest";
  /** How many entries are looked at that have a key of one of the groups. */
  readonly candidates: number;
}

export interface KeysFound {
  /** In the order asked for. */
  readonly indexes: readonly bigint[];
  /** The last index that was looked at; undefined when all were. */
  readonly reached: bigint | undefined;
}

export const MAX_NAME_BYTES = 512;

/** Bytes of each key in a column. */
export function keyLength(column: SearchColumn): number {
  return column.startsWith("key") ? 16 : 8;
}

export function assertSearchNames(names: readonly SearchName[]): void {
  for (const { name, key } of names) {
    if (key.length !== 16) throw new Malformed("search name: its key is not 16 bytes");
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new Malformed(`search name: above ${MAX_NAME_BYTES} bytes`);
    // PostgreSQL takes neither, and would refuse the whole batch, which is other callers' too.
    if (name.includes("\0") || !name.isWellFormed()) throw new Malformed("search name: has what no text may have");
  }
}

/** Most entries have fewer keys, and comparing them all takes a third of what their names in a Map take. */
const FEW_KEYS = 24;

/** Each key once. */
export function distinctKeys(keys: readonly SearchKey[]): readonly SearchKey[] {
  if (keys.length <= FEW_KEYS) return keys.some(isThereBefore) ? keys.filter(isFirst) : keys;
  return [...new Map(keys.map((key) => [`${key.column} ${encodeHex(key.bytes)}`, key])).values()];
}

function isThereBefore({ column, bytes }: SearchKey, at: number, keys: readonly SearchKey[]): boolean {
  for (let before = 0; before < at; before++) {
    const other = keys[before];
    if (other?.column === column && equalBytes(other.bytes, bytes)) return true;
  }
  return false;
}

function isFirst(key: SearchKey, at: number, keys: readonly SearchKey[]): boolean {
  return !isThereBefore(key, at, keys);
}
