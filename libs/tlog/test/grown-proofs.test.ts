import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ClimbedPaths,
  edgeRoot,
  EMPTY_TREE,
  GrownProofs,
  growTree,
  leafHash,
  type TreeHead,
  verifyInclusion,
} from "../src/index.ts";
import { entries, mth, path } from "./rfc6962-literal.ts";

const D = entries(600);
const HASHES = D.map(leafHash);

describe("proofs of what a tree has just grown by", () => {
  test("are those the RFC defines, whatever the tree was and whatever it became", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 599 }), fc.integer({ min: 1, max: 300 }), (from, more) => {
        const tree = D.slice(0, Math.min(from + more, D.length));
        const proofs = new GrownProofs(
          growTree(growTree(EMPTY_TREE, HASHES.slice(0, from)), HASHES.slice(from, tree.length)),
        );
        const head: TreeHead = { size: BigInt(tree.length), root: mth(tree) };
        const climbed = new ClimbedPaths();
        for (let at = from; at < tree.length; at++) {
          const proof = proofs.inclusion(BigInt(at));
          if (at % 37 === 0 || at > tree.length - 3) expect(proof.path).toEqual(path(at, tree));
          verifyInclusion(proof, HASHES[at]!, head, climbed);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("of a tree beyond 2^53 are made without rounding", () => {
    const before = { size: 2n ** 60n, edge: [leafHash(D[0]!)] };
    const growth = growTree(before, HASHES.slice(1, 4));
    const proof = new GrownProofs(growth).inclusion(before.size + 1n);
    verifyInclusion(proof, HASHES[2]!, { size: growth.size, root: edgeRoot(growth) });
  });

  test("are not made of leaves outside the tree", () => {
    const proofs = new GrownProofs(growTree(EMPTY_TREE, HASHES.slice(0, 3)));
    for (const index of [-1n, 3n]) expect(() => proofs.inclusion(index)).toThrow("outside the tree");
  });
});
