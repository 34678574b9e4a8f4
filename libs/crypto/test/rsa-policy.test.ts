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

  const fingerprint = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
  test.for(fingerprint)("a residue modulo %i outside the powers of 65537, and it is none", (prime) => {
    // Multiples of all the other primes move this one residue, through every value that it has.
    const others = PRIMES.filter((other) => other !== prime).reduce((product, other) => product * BigInt(other), 1n);
    const moduli = Array.from({ length: prime }, (_, i) => rocaModulus(2048) + BigInt(i) * others);
    const weak = moduli.filter((n) => weaknessOfModulus(n)?.includes("ROCA"));
    const powers = new Set(Array.from({ length: prime }, (_, i) => 65_537n ** BigInt(i) % BigInt(prime)));
    expect(new Set(weak.map((n) => n % BigInt(prime)))).toEqual(powers);
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
