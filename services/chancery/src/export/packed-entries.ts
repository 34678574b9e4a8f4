import { concatBytes } from "@chancery/encoding";
import type { UnnamedEntry } from "./line-makers.ts";

/** A page of entries in three buffers, that go to a thread as they are: copied one by one they cost more than their lines. */
export interface PackedEntries {
  readonly first: bigint;
  readonly times: Float64Array<ArrayBuffer>;
  /** Of each entry its leaf and what is kept beside it. */
  readonly lengths: Uint32Array<ArrayBuffer>;
  readonly bytes: Uint8Array;
}

/** Entries whose indexes follow each other. */
export function packEntries(entries: readonly UnnamedEntry[]): PackedEntries {
  return {
    first: entries[0]?.index ?? 0n,
    times: Float64Array.from(entries, ({ time }) => time),
    lengths: Uint32Array.from(entries.flatMap(({ leaf, extra }) => [leaf.length, extra.length])),
    bytes: concatBytes(...entries.flatMap(({ leaf, extra }) => [leaf, extra])),
  };
}

export function unpackEntries({ first, times, lengths, bytes }: PackedEntries): UnnamedEntry[] {
  let at = 0;
  const take = (place: number) => bytes.subarray(at, (at += lengths[place] ?? 0));
  return Array.from(times, (time, place) => ({
    index: first + BigInt(place),
    time,
    leaf: take(2 * place),
    extra: take(2 * place + 1),
  }));
}
