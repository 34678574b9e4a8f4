import { bytesArray, type Queryable } from "@chancery/postgres";
import {
  Difference,
  expectEqual,
  type Found,
  NOTHING,
  notInOrder,
  type Place,
  tell,
  unlessFound,
} from "../domain/difference.ts";
import { HASH_BYTES, hashLeaf, rootOfEdge, TILE_HASHES } from "../domain/merkle.ts";
import type { ProvenLog, Shown } from "../domain/proven-log.ts";
import { tileDifferences } from "../domain/tile-difference.ts";
import { findStoredTree, type StoredEntry, StoredLog } from "./stored-log.ts";

const TILE = BigInt(TILE_HASHES);
/** With fewer entries in the last tile the one before is as new. */
const FEW = 64n;

/**
 * The newest rows of a log against what was proven: those of the entries in the last two tiles, the tiles at the right
 * edge, and the rows by which these entries are found. Some milliseconds, whatever the log's size.
 */
export async function checkStoredTip(db: Queryable, name: string, proven: ProvenLog, found: Found): Promise<void> {
  const { size } = proven;
  if (size === 0n) return;
  const { id, root, edge } = await findStoredTree(db, name);
  const place = { kind: "tree", field: "edge" } as const;
  await unlessFound(found, () => expectEqual(place, root, rootOfStored(edge)));
  const log = new StoredLog(db, id);
  for (const tile of proven.partialTiles()) {
    await unlessFound(found, async () => {
      const stored = await log.tile(tile.level, tile.index, tile.hashes.length / HASH_BYTES);
      tell(found, tileDifferences(tile, stored));
    });
  }
  const start = size - (size % TILE);
  if (start > 0n && size - start < FEW) {
    await unlessFound(found, async () => tell(found, await proven.changesOfTile(start / TILE - 1n, shownBy(log))));
    await checkEntries(log, proven, [start - TILE, start], found);
  }
  if (start < size) await checkEntries(log, proven, [start, size], found);
}

/** The next batch is built upon the edge. Its root is held against the proven one wherever heads are. */
function rootOfStored(edge: Uint8Array): Uint8Array {
  const count = Math.floor(edge.length / HASH_BYTES);
  return rootOfEdge(Array.from({ length: count }, (_, at) => edge.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)));
}

function shownBy(log: StoredLog): Shown {
  const read = async (first: bigint, end: bigint) => (await log.entries(first, end)).map(({ leaf }) => leaf);
  return { tiles: log, leaves: { read } };
}

async function checkEntries(
  log: StoredLog,
  proven: ProvenLog,
  [first, end]: readonly [bigint, bigint],
  found: Found,
): Promise<void> {
  const entries = await log.entries(first, end);
  const here = new Set(entries.map(({ index }) => index));
  let time = 0n;
  for (const entry of entries) {
    if (entry.time < time) tell(found, [notInOrder(entry.index, entry.time, time)]);
    time = entry.time;
  }
  const changed = new Set<bigint>();
  for (const [from, leaves] of unbroken(entries)) {
    const others = await unlessFound(found, async () => {
      const differences = await proven.changedLeaves(from, from + BigInt(leaves.length), leaves, shownBy(log));
      tell(found, differences);
      return differences;
    });
    for (const { place } of others ?? []) for (const index of indexesOf(place)) changed.add(index);
    // Some of them are others, and nothing says which.
    if (others === undefined) for (const at of leaves.keys()) changed.add(from + BigInt(at));
  }
  for (let index = first; index < end; index++) {
    if (here.has(index) || (index > first && !here.has(index - 1n))) continue;
    let more = 0;
    while (index + BigInt(more) + 1n < end && !here.has(index + BigInt(more) + 1n)) more++;
    const place = { kind: "entry", index, field: "leaf", ...(more > 0 && { more }) } as const;
    tell(found, [new Difference(place, "an entry", NOTHING)]);
  }
  // Of one that is another, nothing is found by what it was.
  const own = entries.filter(({ index }) => !changed.has(index));
  await checkFound(log, own, found);
}

/** Side by side, each from its first. */
function unbroken(entries: readonly StoredEntry[]): [bigint, Uint8Array[]][] {
  const parts: [bigint, Uint8Array[]][] = [];
  for (const { index, leaf } of entries) {
    const last = parts.at(-1);
    if (last !== undefined && last[0] + BigInt(last[1].length) === index) last[1].push(leaf);
    else parts.push([index, [leaf]]);
  }
  return parts;
}

function indexesOf(place: Place): bigint[] {
  if (place.kind !== "entry") return [];
  return Array.from({ length: (place.more ?? 0) + 1 }, (_, at) => place.index + BigInt(at));
}

/** Each by its identity, and by its leaf hash where that is another. */
async function checkFound({ db, id }: StoredLog, entries: readonly StoredEntry[], told: Found): Promise<void> {
  const wanted = entries.flatMap(({ index, leaf, identity }) => {
    const hash = hashLeaf(leaf);
    return identity === undefined
      ? [{ kind: "identity" as const, index, hash }]
      : [
          { kind: "identity" as const, index, hash: identity },
          { kind: "leaf hash" as const, index, hash },
        ];
  });
  for (const kind of ["identity", "leaf hash"] as const) {
    const rows = wanted.filter((row) => row.kind === kind);
    const found = await db.query<{ hash: Uint8Array; index: bigint }>(
      kind === "identity" ? FIND_IDENTITIES : FIND_LEAF_HASHES,
      [id, bytesArray(rows.map(({ hash }) => hash))],
    );
    const places = new Map(found.map(({ hash, index }) => [Buffer.from(hash).toString("hex"), index]));
    for (const { index, hash } of rows) {
      const hex = Buffer.from(hash).toString("hex");
      const at = places.get(hex);
      // Of entries with the same leaf only one is found by its hash.
      if (at === index || (kind === "leaf hash" && at !== undefined && at < index)) continue;
      const other = at === undefined ? NOTHING : `that hash for entry ${at}`;
      tell(told, [new Difference({ kind, index }, hash, other)]);
    }
  }
}

/** By their key. */
const FIND_IDENTITIES = `SELECT hash, index FROM log.identity WHERE log = $1 AND hash = ANY ($2::bytea[])`;
const FIND_LEAF_HASHES = `SELECT hash, index FROM log.leaf_hash WHERE log = $1 AND hash = ANY ($2::bytea[])`;
