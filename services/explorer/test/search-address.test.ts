import { expect, test } from "vitest";
import {
  apiTimes,
  joinFilters,
  readSearchAddress,
  type SearchAddress,
  writeSearchAddress,
} from "../src/web/query/search-address.ts";

test.for<SearchAddress>([
  { text: "", meaning: 0, filters: {}, order: "newest" },
  { text: "a b&c=d#e", meaning: 2, filters: {}, order: "oldest" },
  { text: "ü", meaning: 0, filters: { kind: ["dsse", "intoto"], from: ["2026-01-01"] }, order: "newest" },
])("the address of a page is its query: %j", (search) => {
  const path = writeSearchAddress(search);
  expect(readSearchAddress(new URL(path, "http://localhost").searchParams)).toEqual(search);
});

test("nonsense in an address is passed over", () => {
  const read = readSearchAddress(new URLSearchParams("as=-3&order=sideways&kind=&hello=1"));
  expect(read).toEqual({ text: "", meaning: 0, filters: {}, order: "newest" });
});

test("the last day is asked for with all its hours", () => {
  expect(apiTimes({ from: ["2026-02-28"], to: ["2026-02-28"], kind: ["dsse"] })).toEqual({
    from: ["2026-02-28T00:00:00Z"],
    to: ["2026-03-01T00:00:00Z"],
    kind: ["dsse"],
  });
});

test("the box and the fields narrow each other", () => {
  expect(joinFilters({ san: ["a"], kind: ["dsse"] }, { san: ["a", "b"], issuer: ["i"] })).toEqual({
    san: ["a"],
    kind: ["dsse"],
    issuer: ["i"],
  });
  const [early, late] = ["2026-02-27T12:00:00Z", "2026-02-28"];
  expect(joinFilters({ from: [early], to: [early] }, { from: [late], to: [late] })).toEqual({
    from: [late],
    to: [early],
  });
});

test("what the box and a field say of one thing, and is not the same, finds nothing rather than both", () => {
  expect(joinFilters({ san: ["a"] }, { san: ["b"], issuer: ["i"] })).toEqual({ contradiction: "san" });
});
