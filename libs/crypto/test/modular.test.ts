import { invert, invertAll, modulo } from "../src/modular.ts";
import { P256, P384, P521 } from "../src/curve.ts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

const moduli = [P256, P384, P521].flatMap(({ p, n }) => [p, n]);

test("a residue is in range and congruent", () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.constantFrom(...moduli), (value, modulus) => {
      const residue = modulo(value, modulus);
      expect(residue >= 0n && residue < modulus).toBe(true);
      expect((value - residue) % modulus).toBe(0n);
    }),
  );
});

describe("an inverse times its number is one", () => {
  test.for(moduli)("modulo %i", (modulus) => {
    const width = modulus.toString(2).length;
    const value = fc.oneof(
      fc.bigInt(1n, modulus - 1n),
      fc.nat(width - 2).map((shift) => 1n << BigInt(shift)),
      fc
        .tuple(fc.nat(width - 2), fc.integer({ min: -3, max: 3 }))
        .map(([shift, by]) => (1n << BigInt(shift)) + BigInt(by)),
      // Quotients of one throughout, and one enormous quotient: the two ways to drive Euclid's algorithm.
      fc.nat(200).map((by) => (modulus * 618n) / 1000n + BigInt(by)),
      fc.nat(50).map((by) => modulus - 1n - BigInt(by)),
    );
    fc.assert(
      fc.property(value, (candidate) => {
        fc.pre(candidate > 0n && candidate < modulus);
        const inverse = invert(candidate, modulus);
        expect(inverse > 0n && inverse < modulus).toBe(true);
        expect((inverse * candidate) % modulus).toBe(1n);
      }),
      { numRuns: 500 },
    );
  });

  test("modulo every small prime", () => {
    for (const prime of [2n, 3n, 5n, 7n, 251n, 65_537n]) {
      for (let value = 1n; value < prime && value < 300n; value++)
        expect((invert(value, prime) * value) % prime).toBe(1n);
    }
  });
});

test("inverses that share one inversion are those of each alone, in their order", () => {
  const numbers = fc.constantFrom(...moduli).chain((modulus) =>
    fc.record({
      modulus: fc.constant(modulus),
      values: fc.array(fc.bigInt(1n, modulus - 1n), { maxLength: 20 }),
    }),
  );
  fc.assert(
    fc.property(numbers, ({ modulus, values }) => {
      expect(invertAll(values, modulus)).toEqual(values.map((value) => invert(value, modulus)));
    }),
  );
});
