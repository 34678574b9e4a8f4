import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { rootOfPath } from "../src/domain/inclusion.ts";
import { type DerivedTile, EMPTY_TREE_HASH, hashLeaf, RederivedTree, tileHashes } from "../src/domain/merkle.ts";

const sha = (...parts: Uint8Array[]) => new Uint8Array(createHash("sha256").update(Buffer.concat(parts)).digest());
const leaf = (index: number) => new TextEncoder().encode(`leaf ${index}`);
const leafHash = (index: number) => sha(Uint8Array.of(0), leaf(index));

/** RFC 6962, Section 2.1, word by word. */
function mth(first: number, count: number): Uint8Array {
  if (count === 0) return sha();
  if (count === 1) return leafHash(first);
  const k = 2 ** Math.floor(Math.log2(count - 1));
  return sha(Uint8Array.of(1), mth(first, k), mth(first + k, count - k));
}

function path(index: number, first: number, count: number): Uint8Array[] {
  if (count === 1) return [];
  const k = 2 ** Math.floor(Math.log2(count - 1));
  return index < k
    ? [...path(index, first, k), mth(first + k, count - k)]
    : [...path(index - k, first + k, count - k), mth(first, k)];
}

function grown(size: number, batch: number): { tree: RederivedTree; tiles: DerivedTile[] } {
  const tree = new RederivedTree();
  const tiles: DerivedTile[] = [];
  for (let at = 0; at < size; at += batch) {
    const count = Math.min(batch, size - at);
    const hashes = Buffer.concat(Array.from({ length: count }, (_, next) => hashLeaf(leaf(at + next))));
    tiles.push(...tree.add(hashes));
  }
  return { tree, tiles: [...tiles, ...tree.partialTiles()] };
}

test("the empty tree has the hash of nothing", () => {
  expect(grown(0, 1).tree.root()).toEqual(EMPTY_TREE_HASH);
  expect(Buffer.from(EMPTY_TREE_HASH).toString("hex")).toMatch(/^e3b0c442/);
});

test.for([
  [1, 1],
  [2, 7],
  [3, 1],
  [7, 3],
  [255, 100],
  [256, 256],
  [257, 1000],
  [511, 1],
  [1000, 333],
  [65_793, 5000],
])("a tree of %i leaves in batches of %i has the root of the RFC, its edge and its tiles", ([size = 0, batch = 0]) => {
  const { tree, tiles } = grown(size, batch);
  expect(Buffer.from(tree.root())).toEqual(Buffer.from(mth(0, size)));
  expect(tree.edge()).toHaveLength(size.toString(2).replaceAll("0", "").length);
  for (const { level, index, hashes } of tiles) {
    const width = hashes.length / 32;
    expect(width).toBe(tileHashes(level, index, BigInt(size)));
    const each = 256 ** level;
    const last = Number(index) * 256 + width - 1;
    expect(Buffer.from(hashes.subarray(-32))).toEqual(Buffer.from(mth(last * each, each)));
  }
  const names = tiles.map(({ level, index }) => `${level}/${index}`);
  expect(new Set(names).size).toBe(names.length);
  const expected = [0, 1, 2].map((level) => Math.ceil(Math.floor(size / 256 ** level) / 256));
  expect(names).toHaveLength(expected.reduce((sum, count) => sum + count));
});

test("an inclusion path of the RFC leads to the root, and no other path does", () => {
  for (const size of [1, 2, 3, 6, 7, 8, 11]) {
    for (let index = 0; index < size; index++) {
      const right = path(index, 0, size);
      const root = Buffer.from(mth(0, size));
      const lead = (at: number, way: Uint8Array[]) => rootOfPath(BigInt(at), BigInt(size), leafHash(index), way);
      expect(Buffer.from(lead(index, right) ?? [])).toEqual(root);
      expect(lead(index, [...right, root])).not.toEqual(root);
      expect(lead(size, right)).toBeUndefined();
      expect(lead(-1, right)).toBeUndefined();
      if (right.length > 0) expect(lead(index, right.slice(1))).toBeUndefined();
      if (size > 1) expect(lead((index + 1) % size, right)).not.toEqual(root);
    }
  }
});
