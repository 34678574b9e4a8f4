import { encodeHex } from "@chancery/encoding";
import { bigintArray, FixedArrayWriter, fixedArray, textArray } from "@chancery/postgres";
import { placeOf } from "./postgres-search.ts";
import { keyLength, SEARCH_COLUMNS, type SearchName } from "./search-key.ts";
import type { SearchKeys } from "./search-keys.ts";

/**
 * For `log.search`: places, then each column; `first` is the index of the first entry. The rows of an entry have for each
 * column one of its keys, or nothing: as many as it has keys of the column of which it has most.
 */
export function searchColumns(
  log: number,
  first: bigint,
  entries: readonly { readonly searchKeys: SearchKeys }[],
): Uint8Array[] {
  const places: bigint[] = [];
  /** Before which row those of each entry end. */
  const ends: number[] = [];
  const [all, own] = [new Int32Array(SEARCH_COLUMNS.length), new Int32Array(SEARCH_COLUMNS.length)];
  let most = 0;
  const count = (column: number) => {
    const keys = (own[column] ?? 0) + 1;
    own[column] = keys;
    all[column] = (all[column] ?? 0) + 1;
    if (keys > most) most = keys;
  };
  for (const { searchKeys } of entries) {
    own.fill(0);
    most = 0;
    searchKeys.visit(count);
    const place = placeOf(log, first + BigInt(ends.length));
    for (; most > 0; most--) places.push(place);
    ends.push(places.length);
  }
  const columns = SEARCH_COLUMNS.map((column, at) => {
    const type = keyLength(column) === 16 ? "uuid" : "bigint";
    return new FixedArrayWriter(type, places.length, all[at] ?? 0);
  });
  for (const [at, { searchKeys }] of entries.entries()) {
    searchKeys.visit((column, begin) => columns[column]?.add(searchKeys.packed, begin));
    for (const column of columns) column.skipTo(ends[at] ?? 0);
  }
  return [bigintArray(places), ...columns.map((column) => column.finish())];
}

/**
 * For `log.name`: each name of the batch once for each key, of which two have one name where that is only how both
 * begin. In one order: who writes the same names at once waits for the other, and crosswise both would for ever.
 */
export function nameColumns(entries: readonly { readonly names: readonly SearchName[] }[]): Uint8Array[] {
  const names = new Map(
    entries.flatMap((entry) => entry.names).map((each) => [`${encodeHex(each.key)} ${each.name}`, each]),
  );
  const distinct = [...names].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
  return [
    textArray(distinct.map(({ name }) => name)),
    fixedArray(
      "uuid",
      distinct.map(({ key }) => key),
    ),
  ];
}
