import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  consistencyProofFrom,
  EMPTY_TREE,
  growTree,
  HASH_SIZE,
  inclusionProofFrom,
  leafHash,
  rangeNodes,
  TILE_WIDTH,
  type TileGrowth,
  type TreeEdge,
  verifyConsistency,
  verifyInclusion,
} from "../src/index.ts";
import { entries, mth, path, proof } from "./rfc6962-literal.ts";

const D = entries(1400);
const HASHES = D.map(leafHash);

/** The tree of the first `size` entries, known only by its edge, as the engine finds it in its row. */
const treeOf = (size: number): TreeEdge => ({
  size: BigInt(size),
  edge: rangeNodes(0n, BigInt(size)).map(({ level, index }) =>
    mth(D.slice(Number(index) << level, (Number(index) + 1) << level)),
  ),
});

/** Appends as a store does, refusing a tile that does not hold what it should. */
function store(tiles: Map<string, Uint8Array[]>, growth: readonly TileGrowth[]): void {
  for (const { level, index, offset, hashes } of growth) {
    const tile = tiles.get(`${level}/${index}`) ?? [];
    expect(tile.length, `tile ${level}/${index}`).toBe(offset);
    expect(hashes.length % HASH_SIZE).toBe(0);
    expect(hashes.length).toBeGreaterThan(0);
    for (let at = 0; at < hashes.length; at += HASH_SIZE) tile.push(hashes.subarray(at, at + HASH_SIZE));
    expect(tile.length).toBeLessThanOrEqual(TILE_WIDTH);
    tiles.set(`${level}/${index}`, tile);
  }
}

describe("growing a tree by a batch", () => {
  test("gives the root and edge the RFC defines, from every size by every small batch", () => {
    for (let from = 0; from <= 33; from++) {
      for (let count = 0; count <= 33; count++) {
        const grown = growTree(treeOf(from), HASHES.slice(from, from + count));
        expect(grown, `${from} + ${count}`).toMatchObject(treeOf(from + count));
        expect(grown.root).toEqual(mth(D.slice(0, from + count)));
      }
    }
  });

  test("proves its new leaves and its past without reading anything", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 1, max: 300 }), fc.nat(), (from, count, at) => {
        const grown = growTree(treeOf(from), HASHES.slice(from, from + count));
        const tree = D.slice(0, from + count);
        const index = from + (at % count);
        const included = inclusionProofFrom(BigInt(index), grown.size, grown.lookup);
        expect(included.path).toEqual(path(index, tree));
        verifyInclusion(included, HASHES[index]!, grown);
        const consistent = consistencyProofFrom(BigInt(from), grown.size, grown.lookup);
        expect(consistent.path).toEqual(from === 0 ? [] : proof(from, tree));
        verifyConsistency(consistent, { size: BigInt(from), root: mth(D.slice(0, from)) }, grown);
      }),
      { numRuns: 60 },
    );
  });

  test("appends to tiles what tlog-tiles defines them to hold, however the entries were batched", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 6 }), (batches) => {
        const tiles = new Map<string, Uint8Array[]>();
        let tree: TreeEdge = EMPTY_TREE;
        let size = 0;
        for (const count of batches) {
          const grown = growTree(tree, HASHES.slice(size, size + count));
          store(tiles, grown.tiles);
          [tree, size] = [grown, Math.min(size + count, D.length)];
        }
        expect(tiles).toEqual(tilesByDefinition(size));
      }),
      { numRuns: 25 },
    );
  });

  test("across 65,536 leaves begins the third level of tiles", () => {
    const many = entries(65_540).map(leafHash);
    const before = growTree(EMPTY_TREE, many.slice(0, 65_530));
    const grown = growTree(before, many.slice(65_530));
    expect(grown.tiles.map(({ level, index, offset, hashes }) => [level, index, offset, hashes.length / 32])).toEqual([
      [0, 255, 250, 6],
      [0, 256, 0, 4],
      [1, 0, 255, 1],
      [2, 0, 0, 1],
    ]);
    expect(grown.tiles.at(-1)!.hashes).toEqual(grown.edge[0]);
    expect(grown.root).toEqual(growTree(EMPTY_TREE, many).root);
  });

  test("from the far end of a large tree is exact, and stops at 2^63 - 1", () => {
    const size = 2n ** 63n - 2n;
    const edge = rangeNodes(0n, size).map((_, at) => HASHES[at]!);
    const grown = growTree({ size, edge }, [HASHES[99]!]);
    expect(grown.edge).toEqual([...edge, HASHES[99]!]);
    expect(() => growTree(grown, [HASHES[100]!])).toThrow("full");
  });

  test("of another size is refused", () => {
    expect(() => growTree({ size: 6n, edge: treeOf(7).edge }, [])).toThrow("does not belong to its size");
    expect(() => growTree({ size: 8n, edge: [] }, HASHES.slice(8, 9))).toThrow("does not belong to its size");
  });

  test("with something that is not a hash is refused", () => {
    expect(() => growTree(EMPTY_TREE, [new Uint8Array(31)])).toThrow("32 bytes");
  });

  test("does not know nodes outside it", () => {
    const { lookup } = growTree(treeOf(6), HASHES.slice(6, 9));
    for (const [level, index] of [
      [0, 5n],
      [0, 9n],
      [1, 1n],
      [9, 0n],
    ] as const) {
      expect(() => lookup({ level, index }), `(${level}, ${index})`).toThrow("no such node");
    }
    expect(lookup({ level: 2, index: 0n })).toEqual(mth(D.slice(0, 4)));
    expect(lookup({ level: 1, index: 2n })).toEqual(mth(D.slice(4, 6)));
  });
});

/** "MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])", c2sp.org/tlog-tiles. */
function tilesByDefinition(size: number): Map<string, Uint8Array[]> {
  const tiles = new Map<string, Uint8Array[]>();
  for (let level = 0; 256 ** level <= size; level++) {
    for (let at = 0; (at + 1) * 256 ** level <= size; at++) {
      const name = `${level}/${Math.floor(at / 256)}`;
      tiles.set(name, [...(tiles.get(name) ?? []), mth(D.slice(at * 256 ** level, (at + 1) * 256 ** level))]);
    }
  }
  return tiles;
}
