import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { ProvenLog, type TileMemory } from "../src/domain/proven-log.ts";

const HASH = 32;
const TILE = 256 * HASH;

/** MTH of RFC 6962, Section 2.1, over a power of two of hashes. */
function subtree(hashes: Uint8Array): Buffer {
  if (hashes.length === HASH) return Buffer.from(hashes);
  const half = hashes.length / 2;
  const hash = createHash("sha256").update(Uint8Array.of(1));
  return hash
    .update(subtree(hashes.subarray(0, half)))
    .update(subtree(hashes.subarray(half)))
    .digest();
}

/** A log of so many whole lowest tiles, of which only their hashes are known. */
function logOf(lowest: Uint8Array): ProvenLog {
  const count = lowest.length / HASH;
  const tiles: TileMemory = {
    count,
    read: async (first, end) => lowest.subarray(first * HASH, end * HASH),
    write: async () => {},
    accept: () => {},
  };
  const [level, hashes] = count === 256 ? [2, subtree(lowest)] : [3, subtree(lowest)];
  return new ProvenLog({ size: BigInt(count) * 256n, edge: [{ level, index: 0n, hashes }] }, tiles);
}

function flipped(tile: Uint8Array, offset: number): Uint8Array {
  const bytes = Uint8Array.from(tile);
  bytes[offset * HASH + 5] = (bytes[offset * HASH + 5] ?? 0) ^ 1;
  return bytes;
}

test("full tiles above the lowest are looked at with the last tile below them, two levels up", async () => {
  const lowest = randomBytes(256 * TILE);
  const first = lowest.subarray(0, TILE);
  const above = Buffer.concat(
    Array.from({ length: 256 }, (_, at) => subtree(lowest.subarray(at * TILE, (at + 1) * TILE))),
  );
  const log = logOf(lowest);
  const asked: string[] = [];
  let lie: string | undefined;
  const tiles = {
    tile: async (level: number, index: bigint) => {
      asked.push(`${level}/${index}`);
      const truth = level === 2 ? above : lowest.subarray(Number(index) * TILE, (Number(index) + 1) * TILE);
      return lie === `${level}/${index}` ? flipped(truth, 77) : truth;
    },
  };
  const changes = async (index: bigint) => (await log.changesAbove(index, tiles)).map(({ message }) => message);
  expect(await changes(254n)).toEqual([]);
  expect(asked).toEqual([]);
  expect(await changes(255n)).toEqual([]);
  expect(await changes(65_535n)).toEqual([]);
  expect(asked).toEqual(["1/0", "1/255", "2/0"]);
  for (lie of ["1/0", "1/255", "2/0"]) {
    const at = lie === "1/0" ? 255n : 65_535n;
    expect(await changes(at)).toEqual([expect.stringContaining(`tile ${lie}, hash 77: expected `)]);
  }
  const small = logOf(first);
  const gone = { tile: async () => undefined };
  expect((await small.changesAbove(255n, gone)).map(({ message }) => message)).toEqual([
    expect.stringMatching(/^tile 1\/0, hash 0 and 255 that follow: .* found nothing$/),
  ]);
});

test("a hash of a tile and a leaf beneath it that are both changed are told apart, and so are leaves of one tile", async () => {
  const leaves = Array.from({ length: 256 }, (_, at) => Buffer.from(`leaf ${at}`));
  const tile = Buffer.concat(leaves.map((leaf) => createHash("sha256").update(Uint8Array.of(0)).update(leaf).digest()));
  const log = logOf(Buffer.concat([subtree(tile), randomBytes(255 * HASH)]));
  const changes = async (served: readonly Uint8Array[], hashes: Uint8Array) => {
    const shown = { tiles: { tile: async () => hashes }, leaves: { read: async () => [...served] } };
    return (await log.changesOfTile(0n, shown)).map(({ message }) => message.split(":", 1)[0]);
  };
  const other = Buffer.from("another");
  expect(await changes(leaves, tile)).toEqual([]);
  expect(await changes(leaves.with(3, other).with(4, other).with(255, other), tile)).toEqual([
    "entry 3 and 1 that follow, leaf",
    "entry 255, leaf",
  ]);
  expect(await changes(leaves, flipped(flipped(tile, 0), 77))).toEqual(["tile 0/0, hash 0", "tile 0/0, hash 77"]);
  expect(await changes(leaves.with(3, other), flipped(tile, 77))).toEqual(["tile 0/0, hash 77", "entry 3, leaf"]);
  // Of the same: nothing says which it was.
  expect(await changes(leaves.with(3, other), flipped(tile, 3))).toEqual(["tile 0/0, hash 0 and 255 that follow"]);
});
