import { Difference } from "./difference.ts";
import { type DerivedTile, HASH_BYTES } from "./merkle.ts";

/** Names the first hash that is another, or missing. */
export function tileDifference({ level, index, hashes }: DerivedTile, now: Uint8Array = new Uint8Array()): Difference {
  const isOther = (_: unknown, at: number) => Buffer.compare(hash(hashes, at), hash(now, at)) !== 0;
  const offset = Math.max(0, Array.from({ length: hashes.length / HASH_BYTES }).findIndex(isOther));
  return new Difference({ kind: "tile", level, index, offset }, hash(hashes, offset), hash(now, offset));
}

function hash(of: Uint8Array, offset: number): Uint8Array {
  return of.subarray(offset * HASH_BYTES, (offset + 1) * HASH_BYTES);
}
