import { Malformed } from "@chancery/fault";
import { array, assert, constantFrom, nat, oneof, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { SEARCH_COLUMNS, type SearchKey, SearchKeys } from "../src/index.ts";
import { keyLength } from "../src/search-key.ts";
import { searchColumns } from "../src/postgres-search-rows.ts";
import { placeOf } from "../src/postgres-search.ts";

/** Few keys, of which some come again, and of some columns several. */
const key = record({ column: constantFrom(...SEARCH_COLUMNS), fill: nat(12) }).map(({ column, fill }): SearchKey => ({
  column,
  bytes: new Uint8Array(keyLength(column)).fill(fill),
}));
/** Any number, none and more than are compared pair by pair. */
const keys = oneof(array(key, { maxLength: 12 }), array(key, { maxLength: 80 }));

const named = ({ column, bytes }: SearchKey) => `${column} ${Buffer.from(bytes).toString("hex")}`;
const distinct = (all: readonly SearchKey[]) =>
  all.filter((one, at) => all.findIndex((other) => named(other) === named(one)) === at);

/** Literally: the n-th key of each column stands in the entry's n-th row. */
function rowsOf(all: readonly SearchKey[]): (Uint8Array | undefined)[][] {
  const rows: (Uint8Array | undefined)[][] = [];
  for (const [at, column] of SEARCH_COLUMNS.entries()) {
    for (const [row, { bytes }] of all.filter((one) => one.column === column).entries()) {
      (rows[row] ??= SEARCH_COLUMNS.map(() => undefined))[at] = bytes;
    }
  }
  return rows;
}

/** array_send (src/backend/utils/adt/arrayfuncs.c) of one dimension, from 1 on. */
function arrayOf(type: number, elements: readonly (Uint8Array | undefined)[]): string {
  const header = [1, elements.includes(undefined) ? 1 : 0, type, elements.length, 1].map(int4);
  const hex = elements.map((bytes) =>
    bytes === undefined ? int4(-1) : int4(bytes.length) + Buffer.from(bytes).toString("hex"),
  );
  return [...header, ...hex].join("");
}

const [INT8, UUID] = [20, 2950];

function int4(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}

function int8(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(16, "0"), "hex");
}

describe("the search keys of an entry", () => {
  test("are those it was made of, each once and in their order, here and elsewhere", () => {
    assert(
      property(keys, (all) => {
        const made = SearchKeys.of(all);
        expect([...made]).toEqual(distinct(all));
        expect([...SearchKeys.unpack(made.packed)]).toEqual(distinct(all));
      }),
    );
    expect([...SearchKeys.NONE]).toEqual([]);
  });

  test("stand in the rows of the search table octet by octet as rows of keys would", () => {
    assert(
      property(array(keys, { maxLength: 6 }), (entries) => {
        const rows = entries.flatMap((all, at) =>
          rowsOf(distinct(all)).map((columns) => ({ place: placeOf(3, 40n + BigInt(at)), columns })),
        );
        const columns = SEARCH_COLUMNS.map((column, at) =>
          arrayOf(
            keyLength(column) === 16 ? UUID : INT8,
            rows.map((row) => row.columns[at]),
          ),
        );
        const places = rows.map(({ place }) => int8(place));
        const written = searchColumns(
          3,
          40n,
          entries.map((all) => ({ searchKeys: SearchKeys.of(all) })),
        );
        expect(written.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual([arrayOf(INT8, places), ...columns]);
      }),
    );
  });

  test.for([
    { column: "key0", bytes: new Uint8Array(8) },
    { column: "term0", bytes: new Uint8Array(16) },
    { column: "term3", bytes: new Uint8Array() },
  ] satisfies SearchKey[])("are none of $bytes.length bytes in $column, which could not be kept whole", (wrong) => {
    expect(() => SearchKeys.of([{ column: "key1", bytes: new Uint8Array(16) }, wrong])).toThrow(Malformed);
  });

  test("are refused where their bytes are cut off or of no column", () => {
    const { packed } = SearchKeys.of([
      { column: "key0", bytes: new Uint8Array(16) },
      { column: "term0", bytes: new Uint8Array(8) },
    ]);
    const ends = Array.from({ length: packed.length }, (_, at) => packed.slice(0, at));
    const read = ends.filter((part) => {
      try {
        return SearchKeys.unpack(part) !== undefined;
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed);
        return false;
      }
    });
    expect(read.map((part) => part.length)).toEqual([0, 17]);
    expect(() => SearchKeys.unpack(packed.with(0, SEARCH_COLUMNS.length))).toThrow("there is no column 7");
  });
});
