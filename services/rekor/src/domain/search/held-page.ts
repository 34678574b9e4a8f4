import { equalBytes } from "@chancery/encoding";
import type { LogReader } from "@chancery/log";
import { HASH_SIZE, leafHash, TILE_WIDTH } from "@chancery/tlog";

/**
 * What says which entries are those of a tree: its lowest hash tiles, as a root commits to them. Whoever changes an entry in
 * the database changes its tile there as well, so a stored tile alone is nobody's word.
 */
export interface VouchedTree {
  readonly size: bigint;
  /**
   * The hashes of the lowest tile at this index. Whoever knows no more than the hash above them finds them among what the
   * entries make them and what is stored; undefined where it is neither.
   */
  tile(index: bigint, ofEntries: Uint8Array, stored: () => Promise<Uint8Array>): Promise<Uint8Array | undefined>;
}

/** Entries [first, end) of one tile that are not those of the tree, or are missing; not `isExact`: which of them, nothing says. */
export interface Damage {
  readonly first: bigint;
  readonly end: bigint;
  readonly isExact: boolean;
}

/** What of a page, the entries of one lowest tile from `first` on, is not in the tree. One that is missing is undefined. */
export async function damageOfPage(
  reader: Pick<LogReader, "tiles">,
  tree: VouchedTree,
  first: bigint,
  leaves: readonly (Uint8Array | undefined)[],
): Promise<readonly Damage[]> {
  const hashes = new Uint8Array(leaves.length * HASH_SIZE);
  for (const [at, leaf] of leaves.entries()) if (leaf !== undefined) hashes.set(leafHash(leaf), at * HASH_SIZE);
  const index = first / BigInt(TILE_WIDTH);
  const own = await tree.tile(index, hashes, async () => {
    const [stored = new Uint8Array()] = await reader.tiles([{ level: 0, index: Number(index) }]);
    return stored.slice(0, hashes.length);
  });
  if (own === undefined) return [{ first, end: first + BigInt(leaves.length), isExact: false }];
  return equalBytes(own, hashes) ? [] : stretches(first, own, hashes);
}

function stretches(first: bigint, own: Uint8Array, hashes: Uint8Array): Damage[] {
  const found: Damage[] = [];
  for (let at = 0; at < hashes.length; at += HASH_SIZE) {
    const index = first + BigInt(at / HASH_SIZE);
    if (equalBytes(own.subarray(at, at + HASH_SIZE), hashes.subarray(at, at + HASH_SIZE))) continue;
    const last = found.at(-1);
    const isNext = last?.end === index;
    found.splice(isNext ? -1 : found.length, isNext ? 1 : 0, {
      first: isNext ? last.first : index,
      end: index + 1n,
      isExact: true,
    });
  }
  return found;
}
