import { encodeRfc3339, parseRfc3339 } from "../src/index.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

test("a time is as the platform writes it, without its fraction, whatever was written before it", () => {
  const time = fc.date({ noInvalidDate: true }).map((date) => date.getTime());
  fc.assert(
    fc.property(fc.array(time, { minLength: 1 }), (times) => {
      const expected = times.map((value) => `${new Date(value).toISOString().slice(0, -5)}Z`);
      expect(times.map(encodeRfc3339)).toEqual(expected);
    }),
  );
});

test.for([
  [-1, "1969-12-31T23:59:59Z"],
  [0, "1970-01-01T00:00:00Z"],
  [999.5, "1970-01-01T00:00:00Z"],
  [-86_400_000, "1969-12-31T00:00:00Z"],
  [1_709_164_799_999, "2024-02-28T23:59:59Z"],
  [1_709_164_800_000, "2024-02-29T00:00:00Z"],
  [16 * 86_400_000, "1970-01-17T00:00:00Z"],
] as const)("%i is %s", ([time, text]) => {
  expect(encodeRfc3339(time)).toBe(text);
});

test("what is no time is refused", () => {
  for (const time of [Number.NaN, Infinity, 8.64e15 + 86_400_000]) {
    expect(() => encodeRfc3339(time)).toThrow(RangeError);
  }
});

test.for([
  ["2026-02-28T23:59:59Z", 1_772_323_199_000],
  ["2024-02-29t12:00:00.5+01:00", 1_709_204_400_500],
  ["0001-01-01T00:00:00Z", -62_135_596_800_000],
  ["1969-12-31T23:59:59z", -1_000],
] as const)("%s is the time %i", ([text, time]) => {
  expect(parseRfc3339(text)).toBe(time);
});

test.for([
  "2026-11-31T00:00:00Z",
  "2026-02-29T00:00:00Z",
  "2026-02-30T00:00:00+01:00",
  "2026-00-10T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-01-01T23:60:00Z",
  "2026-01-01T23:00:60Z",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01 00:00:00Z",
  "2026-01-01T00:00:00",
  "2026-01-01",
  "2026-01-01T00:00:00.Z",
])("%s is no time: the platform would take some of these for another day", (text) => {
  expect(parseRfc3339(text)).toBeUndefined();
});
