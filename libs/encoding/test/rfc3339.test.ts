import { encodeRfc3339 } from "../src/index.ts";
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
