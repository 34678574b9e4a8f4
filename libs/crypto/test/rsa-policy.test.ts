import { weaknessOfModulus } from "../src/rsa-policy.ts";
import { generateKeyPairSync } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differenceOfSquares, fermatRounds, PRIMES, rocaModulus, root, roughNumber } from "./spki.ts";

describe("small factors", () => {
  test.for(PRIMES)("%i", (prime) => {
    const multiple = BigInt(prime) * roughNumber(2040, 3n);
    expect(weaknessOfModulus(multiple)).toBe("the modulus has a small factor");
  });

  test("757, the next prime, is let pass", () => {
    expect(weaknessOfModulus(757n * roughNumber(2039, 3n))).toBeUndefined();
  });
});

describe("ROCA", () => {
  test.for([2048, 3072, 4096])("a modulus of %i bits made the vulnerable way", (bits) => {
    expect(weaknessOfModulus(rocaModulus(bits))).toMatch(/CVE-2017-15361/);
  });

  test("one residue outside its subgroup and it is none", () => {
    // Adding half the primorial of the others moves the residue modulo 157 alone.
    const others = PRIMES.filter((prime) => prime !== 157).reduce((product, prime) => product * BigInt(prime), 1n);
    const outside = Array.from({ length: 157 }, (_, i) => rocaModulus(2048) + BigInt(i) * others);
    const weak = outside.filter((n) => n % 157n !== 0n && weaknessOfModulus(n) !== undefined);
    // 65537 has order 78 modulo 157: half of the 156 residues are in its subgroup.
    expect(weak).toHaveLength(78);
  });
});

describe("close factors", () => {
  test.for([1, 2, 3, 50, 109, 110])("found in round %i", (rounds) => {
    const n = rounds === 1 ? roughNumber(1024, 4n) ** 2n : differenceOfSquares(2048, rounds);
    expect(fermatRounds(n)).toBe(rounds);
    expect(weaknessOfModulus(n)).toBe("the factors of the modulus are too close together");
  });

  test.for([111, 150])("round %i is not tried", (rounds) => {
    expect(weaknessOfModulus(differenceOfSquares(2048, rounds))).toBeUndefined();
  });

  test("at 3072 and 4096 bits too", () => {
    expect(weaknessOfModulus(differenceOfSquares(3072, 7))).toBeDefined();
    expect(weaknessOfModulus(differenceOfSquares(4096, 7))).toBeDefined();
  });

  test("numbers of any size are treated as the textbook treats them", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 40n, max: 2n ** 200n }), (candidate) => {
        let n = candidate | 1n;
        while (PRIMES.some((prime) => n % BigInt(prime) === 0n)) n += 2n;
        const rounds = fermatRounds(n);
        const expected = rounds !== undefined && rounds <= 110;
        expect(weaknessOfModulus(n) === "the factors of the modulus are too close together").toBe(expected);
        expect(weaknessOfModulus(root(n) ** 2n)).toBeDefined();
      }),
      { numRuns: 50 },
    );
  });
});

test("what OpenSSL generates passes", () => {
  for (let i = 0; i < 3; i++) {
    const { n } = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" });
    expect(weaknessOfModulus(BigInt(`0x${Buffer.from(n!, "base64url").toString("hex")}`))).toBeUndefined();
  }
});
