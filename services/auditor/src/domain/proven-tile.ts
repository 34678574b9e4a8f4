import { HASH_BYTES, hashSubtree, TILE_HASHES } from "./merkle.ts";

/** 64 subtrees of 255 hashes, some 20 ms. */
const MOST_DISPUTED = 6;

/**
 * The hashes of a full lowest tile of which only the hash above them was kept, from what the tile and its leaves say of them
 * now: where each has another hash damaged, the two together still tell. Undefined: nothing says what they were.
 */
export function provenHashes(above: Uint8Array, tile: Uint8Array, leaves: Uint8Array): Uint8Array | undefined {
  for (const said of [leaves, tile]) if (isAbove(above, said)) return said;
  if (tile.length !== leaves.length || tile.length !== TILE_HASHES * HASH_BYTES) return undefined;
  const disputed = Array.from({ length: TILE_HASHES }, (_, at) => at * HASH_BYTES).filter(
    (at) => Buffer.compare(tile.subarray(at, at + HASH_BYTES), leaves.subarray(at, at + HASH_BYTES)) !== 0,
  );
  if (disputed.length > MOST_DISPUTED) return undefined;
  for (let chosen = 1; chosen < 2 ** disputed.length - 1; chosen++) {
    const mixed = Uint8Array.from(leaves);
    for (const [bit, at] of disputed.entries()) {
      if ((chosen & (1 << bit)) !== 0) mixed.set(tile.subarray(at, at + HASH_BYTES), at);
    }
    if (isAbove(above, mixed)) return mixed;
  }
  return undefined;
}

function isAbove(above: Uint8Array, hashes: Uint8Array): boolean {
  return hashes.length === TILE_HASHES * HASH_BYTES && Buffer.compare(hashSubtree(hashes), above) === 0;
}
