import { TILE_HASHES } from "../domain/merkle.ts";

/** Entries are read as many at once as a lowest tile has: by that tile they are bound to what was proven. */
export const PAGE = BigInt(TILE_HASHES);

/** Where the page of this entry ends, or before it the tree. */
export function endOfPage(index: bigint, size: bigint): bigint {
  const end = (index / PAGE + 1n) * PAGE;
  return end < size ? end : size;
}
