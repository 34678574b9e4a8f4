import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { MerkleTree } from "merkletreejs";
import { describe, expect, test } from "vitest";
import { Fault } from "@chancery/fault";
import {
  type ConsistencyProof,
  EMPTY_ROOT,
  type InclusionProof,
  leafHash,
  rootFromInclusionProof,
  verifyConsistency,
  verifyInclusion,
} from "../src/index.ts";
import { entries, mth, path, proof } from "./rfc6962-literal.ts";

const SIZES = Array.from({ length: 40 }, (_, at) => at + 1);
const D = entries(64);
const HEADS = Array.from({ length: 65 }, (_, size) => ({ size: BigInt(size), root: mth(D.slice(0, size)) }));
const head = (size: number) => HEADS[size]!;
const inclusion = (index: number, size: number): InclusionProof => ({
  index: BigInt(index),
  size: BigInt(size),
  path: path(index, D.slice(0, size)),
});
const consistency = (from: number, to: number): ConsistencyProof => ({
  from: BigInt(from),
  to: BigInt(to),
  path: from === 0 ? [] : proof(from, D.slice(0, to)),
});

describe("an inclusion proof", () => {
  test.for(SIZES)("holds for every leaf of a tree of %i, and for no other place or size", (size) => {
    for (let index = 0; index < size; index++) {
      const [proven, leaf] = [inclusion(index, size), leafHash(D[index]!)];
      expect(rootFromInclusionProof(proven, leaf)).toEqual(head(size).root);
      verifyInclusion(proven, leaf, head(size));
      for (let other = 0; other < size; other++) {
        const moved = { ...proven, index: BigInt(other) };
        if (other !== index) expect(() => verifyInclusion(moved, leaf, head(size))).toThrow(Fault);
      }
      expect(() => verifyInclusion(proven, leaf, head(size + 1))).toThrow("another size");
    }
  });

  test("of a single leaf is empty, and anything added to it is refused", () => {
    const one = inclusion(0, 1);
    expect(one.path).toEqual([]);
    expect(() => verifyInclusion({ ...one, path: [EMPTY_ROOT] }, leafHash(D[0]!), head(1))).toThrow("too long");
  });

  test.for([
    ["negative index", { ...inclusion(0, 7), index: -1n }],
    ["index at the size", { ...inclusion(6, 7), index: 7n }],
    ["empty tree", { index: 0n, size: 0n, path: [] }],
    ["negative size", { index: 0n, size: -1n, path: [] }],
    ["hash of 31 bytes", { ...inclusion(0, 7), path: [new Uint8Array(31), ...inclusion(0, 7).path.slice(1)] }],
  ] as const)("with %s is malformed", ([, bad]) => {
    expect(() => rootFromInclusionProof(bad, leafHash(D[0]!))).toThrow(
      expect.objectContaining({ code: "malformed" }) as Error,
    );
  });

  test("of a leaf hash that is not a hash is malformed", () => {
    expect(() => rootFromInclusionProof(inclusion(0, 1), D[3]!)).toThrow("32 bytes");
  });

  test("fails when anything in it is changed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.nat(), fc.nat(), fc.nat(), (size, at, where, bit) => {
        const good = inclusion(at % size, size);
        const leaf = leafHash(D[at % size]!);
        for (const changed of damagedPaths(good.path, where, bit)) {
          expect(() => verifyInclusion({ ...good, path: changed }, leaf, head(size))).toThrow(Fault);
        }
        expect(() => verifyInclusion(good, flip(leaf, bit), head(size))).toThrow("does not lead");
      }),
    );
  });
});

describe("a consistency proof", () => {
  test.for([0, ...SIZES])("leads from every smaller tree to the tree of %i", (to) => {
    for (let from = 0; from <= to; from++) {
      verifyConsistency(consistency(from, to), head(from), head(to));
    }
  });

  test("does not lead from another log, or to one", () => {
    for (const to of [1, 2, 7, 8, 31, 32, 33]) {
      for (let from = 1; from <= to; from++) {
        const good = consistency(from, to);
        const fork = { size: BigInt(from), root: leafHash(D[from]!) };
        expect(() => verifyConsistency(good, fork, head(to)), `${from} to ${to}`).toThrow(Fault);
        expect(() => verifyConsistency(good, head(from), { ...head(to), root: fork.root })).toThrow(Fault);
      }
    }
  });

  test.for([
    ["two roots for one size", consistency(5, 5), head(5), { size: 5n, root: EMPTY_ROOT }, "two roots"],
    ["a shrunken log", { from: 6n, to: 5n, path: [] }, head(6), head(5), "larger than"],
    ["a negative size", { from: -1n, to: 5n, path: [] }, { size: -1n, root: EMPTY_ROOT }, head(5), "larger than"],
    ["an empty tree with a root", consistency(0, 5), { size: 0n, root: head(5).root }, head(5), "empty tree"],
    ["a path from nothing", { from: 0n, to: 5n, path: [EMPTY_ROOT] }, head(0), head(5), "too long"],
    ["a path to itself", { from: 5n, to: 5n, path: [EMPTY_ROOT] }, head(5), head(5), "too long"],
    ["no path", { from: 3n, to: 5n, path: [] }, head(3), head(5), "too short"],
    ["a root that is no hash", consistency(0, 5), head(0), { size: 5n, root: new Uint8Array(12) }, "32 bytes"],
    ["half a path", { ...consistency(3, 7), path: consistency(3, 7).path.slice(0, -1) }, head(3), head(7), "too short"],
    [
      "more than a path",
      { ...consistency(3, 7), path: [...consistency(3, 7).path, EMPTY_ROOT] },
      head(3),
      head(7),
      "too long",
    ],
    ["other sizes", consistency(3, 5), head(4), head(5), "other sizes"],
  ] as const)("with %s is refused", ([, bad, from, to, reason]) => {
    expect(() => verifyConsistency(bad, from, to)).toThrow(reason);
  });

  test("fails when anything in it is changed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.nat(), fc.nat(), fc.nat(), (to, at, where, bit) => {
        const from = 1 + (at % (to - 1));
        const good = consistency(from, to);
        for (const changed of damagedPaths(good.path, where, bit)) {
          expect(() => verifyConsistency({ ...good, path: changed }, head(from), head(to))).toThrow(Fault);
        }
      }),
    );
  });
});

const innerNode = (children: Buffer) =>
  createHash("sha256")
    .update(Buffer.concat([Uint8Array.of(1), children]))
    .digest();

/**
 * merkletreejs promotes a lone node unchanged and can be given both hash functions, which makes it an
 * RFC 6962 tree written by someone else: leaves hashed before, inner nodes prefixed in its hash function.
 */
test.for([1, 2, 3, 5, 8, 13, 64])("merkletreejs makes the same root and paths of %i entries", (size) => {
  const leaves = D.slice(0, size).map((entry) => Buffer.from(leafHash(entry)));
  const theirs = new MerkleTree(leaves, innerNode, { hashLeaves: false, sort: false });
  const root = new Uint8Array(theirs.getRoot());
  for (const [index, leaf] of leaves.entries()) {
    const siblings = theirs.getProof(leaf, index).map(({ data }) => new Uint8Array(data));
    verifyInclusion({ index: BigInt(index), size: BigInt(size), path: siblings }, leaf, { size: BigInt(size), root });
  }
});

/** Every hash dropped, doubled, flipped by a bit or moved: a verifier refuses them all. */
function damagedPaths(good: readonly Uint8Array[], where: number, bit: number): Uint8Array[][] {
  const at = where % Math.max(good.length, 1);
  return [
    good.toSpliced(at, 1),
    good.toSpliced(at, 0, good[at] ?? EMPTY_ROOT),
    [...good, EMPTY_ROOT],
    ...(good.length > 0 ? [good.with(at, flip(good[at]!, bit))] : []),
    ...(good.length > 1 ? [good.toReversed()] : []),
  ].filter(
    (changed) => changed.length !== good.length || changed.some((hash, i) => !Buffer.from(hash).equals(good[i]!)),
  );
}

function flip(hash: Uint8Array, bit: number): Uint8Array {
  return hash.with((bit >> 3) % hash.length, hash[(bit >> 3) % hash.length]! ^ (1 << (bit & 7)));
}
