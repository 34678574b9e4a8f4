import { concatBytes } from "@chancery/encoding";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  consistencyNodes,
  consistencyProof,
  edgeRoot,
  EMPTY_TREE,
  growTree,
  HASH_SIZE,
  HashTile,
  foldNodes,
  type HashLookup,
  type HashReader,
  inclusionNodes,
  inclusionProof,
  leafHash,
  type NodeCoordinate,
  rangeNodes,
  type RightEdge,
  tileHashReader,
  treeRoot,
  tileWidth,
  verifyConsistency,
  verifyInclusion,
} from "../src/index.ts";
import { entries, hashOfLeaf, mth, path, proof } from "./rfc6962-literal.ts";

const D = entries(70);

/** Every complete subtree's hash straight from the definition; any other node is not stored, and asking for it fails. */
const stored =
  (size: number): HashReader =>
  async (nodes) =>
    nodes.map(({ level, index }) => {
      const [begin, end] = [Number(index) << level, (Number(index) + 1) << level];
      if (end > size) throw new Error(`(${level}, ${index}) is not complete in a tree of ${size}`);
      return mth(D.slice(begin, end));
    });

const never: HashReader = () => Promise.reject(new Error("read"));

describe("proofs from stored hashes are those the RFC defines", () => {
  test.for(Array.from({ length: 40 }, (_, at) => at + 1))("tree of %i", async (size) => {
    const tree = D.slice(0, size);
    expect(await treeRoot(BigInt(size), stored(size))).toEqual(mth(tree));
    for (let at = 0; at < size; at++) {
      expect((await inclusionProof(BigInt(at), BigInt(size), stored(size))).path).toEqual(path(at, tree));
      const from = at + 1;
      expect((await consistencyProof(BigInt(from), BigInt(size), stored(size))).path).toEqual(proof(from, tree));
    }
  });

  test.for(Array.from({ length: 40 }, (_, at) => at + 1))(
    "tree of %i, whose proofs remember its edge",
    async (size) => {
      const tree = D.slice(0, size);
      const edge: RightEdge = new Map();
      for (const at of [...tree.keys(), ...tree.keys().toArray().toReversed()]) {
        expect((await inclusionProof(BigInt(at), BigInt(size), stored(size), edge)).path).toEqual(path(at, tree));
      }
    },
  );

  test("from nothing there is nothing to prove, and nothing is read", async () => {
    expect(await consistencyProof(0n, 9n, never)).toEqual({ from: 0n, to: 9n, path: [] });
    expect(await consistencyProof(9n, 9n, never)).toEqual({ from: 9n, to: 9n, path: [] });
    expect(await treeRoot(0n, never)).toEqual(mth([]));
  });

  test.for([
    [-1n, 5n],
    [5n, 5n],
    [0n, 0n],
  ] as const)("leaf %i of a tree of %i has none", ([index, size]) => {
    expect(() => inclusionNodes(index, size)).toThrow("outside the tree");
  });

  test.for([
    [-1n, 5n],
    [6n, 5n],
  ] as const)("a tree of %i is not the beginning of one of %i", ([from, to]) => {
    expect(() => consistencyNodes(from, to)).toThrow("larger than the new one");
  });
});

test("the nodes of a right edge cover every leaf once, whatever the size", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (size) => {
      let at = 0n;
      for (const { level, index } of rangeNodes(0n, size)) {
        expect(index << BigInt(level)).toBe(at);
        at += 1n << BigInt(level);
      }
      expect(at).toBe(size);
    }),
  );
});

test("a proof in a tree of 2^63 - 1 leaves asks for complete subtrees only", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 2n }), fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), (a, b) => {
      const size = a < b ? b : a + 1n;
      const index = a < b ? a : b;
      const complete = ({ level, index: at }: NodeCoordinate) => (at + 1n) << BigInt(level) <= size;
      expect(inclusionNodes(index, size).flat().every(complete)).toBe(true);
      expect(consistencyNodes(index, size).flat().every(complete)).toBe(true);
    }),
  );
});

describe("proofs from tiles", () => {
  const LEAVES = 66_000;
  const big = entries(LEAVES);
  const tiles = new Map<string, Uint8Array>();
  let lookup: HashLookup;

  beforeAll(() => {
    const grown = growTree(EMPTY_TREE, big.map(leafHash));
    for (const { level, index, hashes } of grown.tiles) tiles.set(`${level}/${index}`, hashes);
    lookup = grown.lookup;
  });

  /** From the nodes of the larger tree, which the first test below holds against the definition. */
  const rootOf = (size: number) => foldNodes(rangeNodes(0n, BigInt(size)).map(lookup));

  /** Serves exactly the tile that a tree of that size has, cut from the larger one as a static log would. */
  const reader = (size: number, reads: string[] = []) =>
    tileHashReader(async ({ level, index, width }) => {
      expect(width).toBe(tileWidth(level, index, BigInt(size)));
      expect(width).toBeGreaterThan(0);
      reads.push(`${level}/${index}`);
      return new HashTile(tiles.get(`${level}/${index}`)!.slice(0, width * HASH_SIZE));
    }, BigInt(size));

  /** Tiles of a height of four. */
  const lowReader = (size: number) =>
    tileHashReader(
      async ({ level, index, width }) => {
        const nodes = Array.from({ length: width }, (_, at) => ({ level: 4 * level, index: BigInt(index * 16 + at) }));
        return new HashTile(concatBytes(...nodes.map(lookup)), 4);
      },
      BigInt(size),
      4,
    );

  const around = fc.oneof(
    ...[256, 512, 65_536].map((size) => fc.integer({ min: size - 3, max: size + 3 })),
    fc.integer({ min: 1, max: LEAVES }),
  );

  test("a tree of 66,000 has the root the RFC defines", () => {
    expect(rootOf(LEAVES)).toEqual(mth(big));
  });

  test("lead from any leaf to the root around 256 and 65,536", async () => {
    await fc.assert(
      fc.asyncProperty(around, fc.nat(), async (size, at) => {
        const [index, root] = [at % size, rootOf(size)];
        const proven = await inclusionProof(BigInt(index), BigInt(size), reader(size));
        verifyInclusion(proven, hashOfLeaf(big[index]!), { size: BigInt(size), root });
        expect(await treeRoot(BigInt(size), reader(size))).toEqual(root);
      }),
      { numRuns: 100 },
    );
  });

  test("lead from any smaller tree to the root around 256 and 65,536", async () => {
    await fc.assert(
      fc.asyncProperty(around, around, async (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const proven = await consistencyProof(BigInt(from), BigInt(to), reader(to));
        verifyConsistency(proven, { size: BigInt(from), root: rootOf(from) }, { size: BigInt(to), root: rootOf(to) });
      }),
      { numRuns: 100 },
    );
  });

  test("a tile of any height and width has the nodes of which it has all hashes, and no others", () => {
    const whole = tiles.get("0/3")!;
    fc.assert(
      fc.property(fc.constantFrom(4, 8), fc.integer({ min: 0, max: 256 }), (height, upTo) => {
        const width = Math.min(upTo, 2 ** height);
        const tile = new HashTile(whole.slice(0, width * HASH_SIZE), height);
        for (let level = 0; level < height; level++) {
          const end = width >> level;
          for (let index = 0; index < end; index++) {
            const node = { level, index: BigInt((256 * 3) >> level) + BigInt(index) };
            expect(tile.node(level, index)).toEqual(lookup(node));
          }
          expect(() => tile.node(level, end)).toThrow("shorter than its tree needs");
        }
      }),
      { numRuns: 20 },
    );
  });

  test("are the same through tiles of another height", async () => {
    for (const size of [1, 15, 16, 17, 255, 256, 257, 4096, 65_999]) {
      for (const index of [0, size >> 1, size - 1].map(BigInt)) {
        expect(await inclusionProof(index, BigInt(size), lowReader(size))).toEqual(
          await inclusionProof(index, BigInt(size), reader(size)),
        );
      }
    }
  });

  test("read each tile once", async () => {
    const reads: string[] = [];
    await inclusionProof(65_535n, 65_999n, reader(65_999, reads));
    expect(reads.toSorted()).toEqual(["0/255", "0/257", "1/0", "1/1"]);
  });

  test("refuse a tile that is too short", async () => {
    const short = tileHashReader(async () => new HashTile(new Uint8Array(3 * HASH_SIZE)), 200n);
    await expect(inclusionProof(5n, 200n, short)).rejects.toThrow("shorter than its tree needs");
  });
});

test("an edge of the wrong length is not a tree", () => {
  expect(() => edgeRoot({ size: 3n, edge: [leafHash(D[0]!)] })).toThrow("does not belong to its size");
});
