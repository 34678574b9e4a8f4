import { beforeEach, describe, expect, test } from "vitest";
import { nameOfSearch, RememberedSearches } from "../src/remembered-searches.ts";
import type { SearchKey } from "../src/search-key.ts";

const key = (column: SearchKey["column"], first: number): SearchKey => ({
  column,
  bytes: new Uint8Array(column.startsWith("key") ? 16 : 8).fill(0x7c).with(0, first),
});

let time: number;
let searches: RememberedSearches;

beforeEach(() => {
  time = 0;
  searches = new RememberedSearches(() => time);
});

describe("what a search found in a tree", () => {
  test("is known for as long as the tree is the one that is published", () => {
    searches.keep("a", 5n, [4n, 1n]);
    expect(searches.get("a", 5n)).toEqual([4n, 1n]);
    expect(searches.get("b", 5n)).toBeUndefined();
    expect(searches.get("a", 6n)).toBeUndefined();
    searches.keep("b", 6n, [5n]);
    expect(searches.get("a", 5n)).toBeUndefined();
    expect(searches.get("a", 6n)).toBeUndefined();
    expect(searches.get("b", 6n)).toEqual([5n]);
  });

  test("stays as it was found, whatever becomes of the answer", () => {
    const found = [4n, 1n];
    searches.keep("a", 5n, found);
    found.push(7n);
    expect(searches.get("a", 5n)).toEqual([4n, 1n]);
  });

  test("is not taken for the larger tree's where the search ended late", () => {
    searches.keep("a", 6n, [5n]);
    searches.keep("b", 5n, [4n]);
    expect(searches.get("b", 5n)).toBeUndefined();
    expect(searches.get("b", 6n)).toBeUndefined();
    expect(searches.get("a", 6n)).toEqual([5n]);
  });

  test("is asked for anew after ten seconds, so that what was mended is found", () => {
    searches.keep("a", 5n, [1n]);
    time = 9_999;
    expect(searches.get("a", 5n)).toEqual([1n]);
    time = 10_000;
    expect(searches.get("a", 5n)).toBeUndefined();
    searches.keep("a", 5n, [4n, 1n]);
    expect(searches.get("a", 5n)).toEqual([4n, 1n]);
  });

  test("is not kept where it is nothing, or long, or the question is", () => {
    searches.keep("none", 5_000n, []);
    searches.keep(
      "long",
      5_000n,
      Array.from({ length: 65 }, (_, at) => BigInt(at)),
    );
    searches.keep("k".repeat(257), 5_000n, [1n]);
    for (const name of ["none", "long", "k".repeat(257)]) expect(searches.get(name, 5_000n)).toBeUndefined();
  });

  test("is given up for newer answers, so that memory has a bound", () => {
    for (let at = 0; at < 40_000; at++) searches.keep(`question ${at}`, 50_000n, [BigInt(at)]);
    const known = Array.from({ length: 40_000 }, (_, at) => searches.get(`question ${at}`, 50_000n)).filter(Boolean);
    expect(known.length).toBeLessThanOrEqual(16_384);
    expect(searches.get("question 39999", 50_000n)).toEqual([39_999n]);
  });
});

test("no two questions have one name", () => {
  const [a, b, c] = [key("key0", 1), key("key1", 1), key("term0", 0x7c)];
  const questions = [[[a]], [[b]], [[a, b]], [[a], [b]], [[b], [a]], [[a, b, c]], [[a], [b, c]], [[a, b], [c]], [[c]]];
  const names = questions.flatMap((groups) => [1, 10, 1_000].map((limit) => nameOfSearch(groups, limit)));
  expect(new Set(names).size).toBe(questions.length * 3);
  expect(nameOfSearch([[key("key0", 1)]], 1)).toBe(nameOfSearch([[a]], 1));
});
