import { encodeHex } from "@chancery/encoding";
import { bigintArray, fixedArray, textArray } from "@chancery/postgres";
import { placeOf } from "./postgres-search.ts";
import { keyLength, SEARCH_COLUMNS, type SearchKey, type SearchName, searchRows } from "./search-key.ts";

interface Found {
  readonly searchKeys: readonly SearchKey[];
  readonly names: readonly SearchName[];
}

/** For `log.search`: places, then each column; `first` is the index of the first entry. */
export function searchColumns(log: number, first: bigint, entries: readonly Found[]): Uint8Array[] {
  return rowColumns(
    entries.flatMap(({ searchKeys }, at) => {
      const place = placeOf(log, first + BigInt(at));
      return searchRows(searchKeys).map((keys) => ({ place, keys }));
    }),
  );
}

export function rowColumns(
  rows: readonly { readonly place: bigint; readonly keys: readonly (Uint8Array | undefined)[] }[],
): Uint8Array[] {
  return [
    bigintArray(rows.map(({ place }) => place)),
    ...SEARCH_COLUMNS.map((column, at) =>
      fixedArray(
        keyLength(column) === 16 ? "uuid" : "bigint",
        rows.map(({ keys }) => keys[at]),
      ),
    ),
  ];
}

/**
 * For `log.name`: each name of the batch once for each key, of which two have one name where that is only how both
 * begin. In one order: who writes the same names at once waits for the other, and crosswise both would for ever.
 */
export function nameColumns(entries: readonly Found[]): Uint8Array[] {
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
