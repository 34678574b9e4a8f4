import { type Growth, growTree, leafHash } from "@chancery/tlog";
import type { LoggedEntry, NewEntry } from "./entry.ts";
import type { Addition, PlacedEntry, TreeState } from "./store.ts";

/** Where an entry of the batch is: new in it, there before, or nowhere. `planned`: what an earlier attempt at this batch was to put at that very place. */
export type Placement =
  | { readonly kind: "new"; readonly entry: LoggedEntry; readonly leafHash: Uint8Array }
  | { readonly kind: "known"; readonly index: bigint; readonly planned?: LoggedEntry }
  | { readonly kind: "frozen" };

export interface Integration {
  readonly before: TreeState;
  readonly placements: readonly Placement[];
  readonly growth: Growth | undefined;
  readonly addition: Addition | undefined;
  /** The size of a tree that has every entry of the batch that is placed. */
  readonly covering: bigint;
}

/**
 * Places a batch at the end of the tree, in the order it came. All of it has one time, which is asked for if any of it
 * is new: it comes after everything that was signed or shown before.
 */
export function integrate(
  before: TreeState,
  known: readonly (bigint | undefined)[],
  batch: readonly NewEntry[],
  stamp: (last: number) => number,
): Integration {
  const isNew = !before.frozen && batch.some((_, at) => known[at] === undefined);
  const time = isNew ? stamp(Math.max(before.time, before.published?.time ?? 0)) : before.time;
  const entries: PlacedEntry[] = [];
  const placements = batch.map((entry, at): Placement => {
    const index = known[at];
    if (index !== undefined) return { kind: "known", index };
    if (before.frozen) return { kind: "frozen" };
    const place = { index: before.size + BigInt(entries.length), time };
    const leaf = entry.leaf(place);
    const { identity, extra, stored, searchKeys, names = [] } = entry;
    const hash = leafHash(leaf);
    entries.push({ identity, leaf, leafHash: hash, stored, extra, searchKeys, names });
    return { kind: "new", entry: { index: place.index, time, identity, leaf, extra }, leafHash: hash };
  });
  const growth =
    entries.length === 0
      ? undefined
      : growTree(
          before,
          entries.map((entry) => entry.leafHash),
        );
  const addition = growth && {
    entries,
    tiles: growth.tiles,
    tree: { size: growth.size, root: growth.root, edge: growth.edge, time },
  };
  return { before, placements, growth, addition, covering: coveringSize(growth?.size ?? 0n, placements) };
}

function coveringSize(grown: bigint, placements: readonly Placement[]): bigint {
  let size = grown;
  for (const placement of placements) {
    if (placement.kind === "known" && placement.index >= size) size = placement.index + 1n;
  }
  return size;
}
