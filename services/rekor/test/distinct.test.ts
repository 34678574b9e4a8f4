import * as fc from "fast-check";
import { expect, test } from "vitest";
import { among, distinct } from "../src/domain/search/distinct.ts";
import { domainsOf } from "../src/domain/search/san.ts";

const few = fc.array(fc.constantFrom("a", "b", "ab", "A", undefined), { maxLength: 12 });
const many = fc.array(fc.integer({ max: 30, min: 0 }).map(String), { minLength: 13, maxLength: 60 });

test("few values and many are told apart as a Set does", () => {
  fc.assert(
    fc.property(fc.oneof(few, many), (values) => {
      const set = new Set<string | undefined>(values);
      expect(distinct<string | undefined>(values)).toEqual([...set]);
      const isAmong = among<string | undefined>(values);
      for (const asked of ["a", "A", "0", "31", undefined]) expect(isAmong(asked)).toBe(set.has(asked));
    }),
  );
});

test("a name is found by each domain above it, of two labels or more, and by its whole host", () => {
  const host = fc.array(fc.constantFrom("a", "b-c", "", "1x"), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(host, (labels) => {
      const value = labels.join(".");
      if (value === "" || value.endsWith(".") || /^[0-9.]+$/.test(value)) return;
      const above = labels.map((_, at) => labels.slice(at)).filter((rest) => rest.length > 1 && rest.length <= 16);
      const expected = new Set([...above.map((rest) => rest.join(".")).toReversed(), value]);
      expect(domainsOf({ type: "email", value: `someone@${value}` })).toEqual([...expected]);
    }),
  );
});
