import { Difference, type Place } from "./difference.ts";
import { type DerivedTile, HASH_BYTES } from "./merkle.ts";

/** Hashes side by side that are other, or that only one of the two has. */
interface Stretch {
  readonly offset: number;
  readonly more: number | undefined;
}

/** Names every hash that is another, or missing; those side by side once. */
export function tileDifferences(own: DerivedTile, now: Uint8Array = new Uint8Array()): Difference[] {
  const { level, index, hashes } = own;
  return stretches(hashes, now).map(({ offset, more }) => {
    const place: Place = { kind: "tile", level, index, offset, more };
    return new Difference(place, hash(hashes, offset), hash(now, offset));
  });
}

/** The same of leaves, by their hashes. */
export function leafDifferences(first: bigint, own: Uint8Array, now: Uint8Array): Difference[] {
  return stretches(own, now).map(({ offset, more }) => {
    const place: Place = { kind: "entry", index: first + BigInt(offset), field: "leaf", more };
    return new Difference(place, hash(own, offset), hash(now, offset));
  });
}

function stretches(own: Uint8Array, now: Uint8Array): Stretch[] {
  const found: { offset: number; more: number | undefined }[] = [];
  let isInside = false;
  for (let offset = 0; offset * HASH_BYTES < Math.max(own.length, now.length); offset++) {
    const isOther = Buffer.compare(hash(own, offset), hash(now, offset)) !== 0;
    const last = found.at(-1);
    if (isOther && isInside && last !== undefined) last.more = (last.more ?? 0) + 1;
    else if (isOther) found.push({ offset, more: undefined });
    isInside = isOther;
  }
  return found;
}

function hash(of: Uint8Array, offset: number): Uint8Array {
  return of.subarray(offset * HASH_BYTES, (offset + 1) * HASH_BYTES);
}
