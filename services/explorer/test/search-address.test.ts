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
  expect(apiTimes({ to: ["2026-02-30"] })).toEqual({ to: ["2026-02-30"] });
});

test("the box and the fields narrow each other", () => {
  expect(joinFilters({ san: ["a"], kind: ["dsse"] }, { san: ["b", "c"], issuer: ["i"], kind: ["dsse"] })).toEqual({
    san: ["a"],
    "san.2": ["b", "c"],
    kind: ["dsse"],
    issuer: ["i"],
  });
  expect(joinFilters({ san: ["a"], "san.2": ["b"] }, { san: ["c"] })).toEqual({
    san: ["a"],
    "san.2": ["b"],
    "san.3": ["c"],
  });
  const [early, late] = ["2026-02-27T12:00:00Z", "2026-02-28"];
  expect(joinFilters({ from: [early], to: [early] }, { from: [late], to: [late] })).toEqual({
    from: [late],
    to: [early],
  });
});

test("a log that is not the box's is told, as no entry is in both", () => {
  expect(joinFilters({ log: ["rekor"] }, { log: ["rekor-v2"] })).toEqual({ contradiction: "log" });
  expect(joinFilters({ log: ["rekor"] }, { log: ["rekor-v2", "rekor"] })).toEqual({ log: ["rekor"] });
});
