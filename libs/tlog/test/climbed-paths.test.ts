import { assert, constantFrom, integer, nat, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { ClimbedPaths, type InclusionProof, leafHash, rootFromInclusionProof, verifyInclusion } from "../src/index.ts";
import { entries, mth, path } from "./rfc6962-literal.ts";

const D = entries(90);
const proofOf = (index: number, size: number): InclusionProof => ({
  index: BigInt(index),
  size: BigInt(size),
  path: path(index, D.slice(0, size)),
});
const flip = (hash: Uint8Array, bit: number) => hash.with((bit >> 3) % 32, hash[(bit >> 3) % 32]! ^ (1 << (bit & 7)));

/** The root, or the words of the refusal. */
function outcome(proof: InclusionProof, leaf: Uint8Array, climbed?: ClimbedPaths): string {
  try {
    return Buffer.from(rootFromInclusionProof(proof, leaf, climbed)).toString("hex");
  } catch (error) {
    return String(error);
  }
}

/** A proof that is wrong in one thing; `leaf`: the hash that it is asked for. */
function bent(proof: InclusionProof, leaf: Uint8Array, how: string, at: number) {
  const { index, size, path: hashes } = proof;
  const changed = hashes.toSpliced(at % (hashes.length + 1), 1);
  const turned = hashes.map((hash, level) => (level === at % hashes.length ? flip(hash, at) : hash));
  switch (how) {
    case "leaf":
      return { proof, leaf: flip(leaf, at) };
    case "hash":
      return { proof: { ...proof, path: turned }, leaf };
    case "index":
      return { proof: { ...proof, index: index ^ (1n << BigInt(at % 8)) }, leaf };
    case "size":
      return { proof: { ...proof, size: size + BigInt(at % 64) }, leaf };
    case "shorter":
      return { proof: { ...proof, path: changed }, leaf };
    case "longer":
      return { proof: { ...proof, path: [...hashes, leaf] }, leaf };
    case "31 bytes":
      return {
        proof: { ...proof, path: hashes.map((hash, level) => (level === at % hashes.length ? hash.slice(1) : hash)) },
        leaf,
      };
    default:
      return { proof, leaf };
  }
}

const ways = constantFrom("right", "leaf", "hash", "index", "size", "shorter", "longer", "31 bytes");

describe("proofs that are verified together", () => {
  test("come to what each comes to alone, right ones and wrong ones in any order", () => {
    const sizes = [1, 2, 7, 64, 65, 90];
    const climbed = new ClimbedPaths();
    assert(
      property(constantFrom(...sizes), nat(89), ways, nat(4096), (size, number, how, at) => {
        const index = number % size;
        const { proof, leaf } = bent(proofOf(index, size), leafHash(D[index]!), how, at);
        expect(outcome(proof, leaf, climbed)).toBe(outcome(proof, leaf));
      }),
      { numRuns: 3_000 },
    );
  });

  test("are none of them right for a hash that is changed in what they share", () => {
    assert(
      property(integer({ min: 2, max: 90 }), nat(), nat(), (size, number, bit) => {
        const [climbed, head] = [new ClimbedPaths(), { size: BigInt(size), root: mth(D.slice(0, size)) }];
        for (let at = 0; at < size; at++) verifyInclusion(proofOf(at, size), leafHash(D[at]!), head, climbed);
        const good = proofOf(number % size, size);
        for (const level of good.path.keys()) {
          const wrong = { ...good, path: good.path.map((hash, at) => (at === level ? flip(hash, bit) : hash)) };
          const leaf = leafHash(D[number % size]!);
          expect(() => verifyInclusion(wrong, leaf, head, climbed)).toThrow("does not lead");
        }
      }),
      { numRuns: 30 },
    );
  });
});
