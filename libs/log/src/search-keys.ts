import { Malformed } from "@chancery/fault";
import { distinctKeys, keyLength, SEARCH_COLUMNS, type SearchKey } from "./search-key.ts";

/**
 * The search keys of an entry, each once, as one piece of memory: an entry waits some 40 ms for its batch, and the dozen
 * objects and views that its keys would be were a fifth of what the collector copied of the main thread. For each key
 *
 *     column (1 octet: its place among SEARCH_COLUMNS), key (as many octets as a key of that column has)
 */
export class SearchKeys implements Iterable<SearchKey> {
  /** Of an entry that is not searched for. */
  static readonly NONE = new SearchKeys(new Uint8Array());

  readonly #packed: Uint8Array;

  private constructor(packed: Uint8Array) {
    this.#packed = packed;
  }

  get packed(): Uint8Array {
    return this.#packed;
  }

  static of(keys: readonly SearchKey[]): SearchKeys {
    for (const { column, bytes } of keys) {
      if (bytes.length !== keyLength(column))
        throw new Malformed(`search key: of ${column} is not ${keyLength(column)} bytes`);
    }
    const distinct = distinctKeys(keys);
    const packed = new Uint8Array(distinct.reduce((sum, { bytes }) => sum + 1 + bytes.length, 0));
    let at = 0;
    for (const { column, bytes } of distinct) {
      packed[at] = SEARCH_COLUMNS.indexOf(column);
      packed.set(bytes, at + 1);
      at += 1 + bytes.length;
    }
    return new SearchKeys(packed);
  }

  /** What `packed` was elsewhere in this process; it shares the memory. A key that is there twice is taken as it is. */
  static unpack(packed: Uint8Array): SearchKeys {
    let at = 0;
    while (at < packed.length) at += 1 + lengthIn(packed[at] ?? 0);
    if (at > packed.length) throw new Malformed("search keys: the last one is cut off");
    return new SearchKeys(packed);
  }

  /** Shows each key: its column's place among SEARCH_COLUMNS, and where in `packed` it begins. */
  visit(see: (column: number, at: number) => void): void {
    const packed = this.#packed;
    for (let at = 0; at < packed.length;) {
      const column = packed[at] ?? 0;
      see(column, at + 1);
      at += 1 + lengthIn(column);
    }
  }

  *[Symbol.iterator](): Generator<SearchKey> {
    const packed = this.#packed;
    for (let at = 0; at < packed.length;) {
      const number = packed[at] ?? 0;
      const [column, length] = [SEARCH_COLUMNS[number], lengthIn(number)];
      if (column !== undefined) yield { column, bytes: packed.slice(at + 1, at + 1 + length) };
      at += 1 + length;
    }
  }
}

const LENGTHS: readonly number[] = SEARCH_COLUMNS.map(keyLength);

function lengthIn(column: number): number {
  const length = LENGTHS[column];
  if (length === undefined) throw new Malformed(`search keys: there is no column ${column}`);
  return length;
}
