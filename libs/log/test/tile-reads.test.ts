import { expect, test } from "vitest";
import { HASH_SIZE } from "@chancery/tlog";
import type { LogReader } from "../src/index.ts";
import { TileReads } from "../src/tile-reads.ts";

test("a tile that was damaged when it was read, and is mended where it is stored, is served right a minute later", async () => {
  const right = new Uint8Array(2 * HASH_SIZE).fill(7);
  let stored = right.with(3, 6);
  let reads = 0;
  const stands = async () => {
    reads++;
    return [stored];
  };
  let elapsed = 0;
  const tiles = new TileReads({ tiles: stands } satisfies Pick<LogReader, "tiles">, () => elapsed);
  const read = () => tiles.tile({ level: 0, index: 0, width: 2 });
  expect(await read()).toEqual(stored);
  stored = right;
  elapsed += 59_000;
  await read();
  expect(reads).toBe(1);
  elapsed += 1_000;
  expect(await read()).toEqual(right);
  expect(reads).toBe(2);
});
