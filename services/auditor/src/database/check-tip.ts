import { bytesArray, type Queryable } from "@chancery/postgres";
import { Difference, expectEqual, NOTHING } from "../domain/difference.ts";
import { HASH_BYTES, hashLeaf, rootOfEdge, TILE_HASHES } from "../domain/merkle.ts";
import type { ProvenLog, Shown } from "../domain/proven-log.ts";
import { findStoredTree, type StoredEntry, StoredLog } from "./stored-log.ts";

const TILE = BigInt(TILE_HASHES);
/** With fewer entries in the last tile the one before is as new. */
const FEW = 64n;

/**
 * The newest rows of a log against what was proven: those of the entries in the last two tiles, the tiles at the right
 * edge, and the rows by which these entries are found. Some milliseconds, whatever the log's size.
 */
export async function checkStoredTip(db: Queryable, name: string, proven: ProvenLog): Promise<void> {
  const { size } = proven;
  if (size === 0n) return;
  const { id, root, edge } = await findStoredTree(db, name);
  expectEqual({ kind: "tree", field: "edge" }, root, rootOfStored(edge));
  const log = new StoredLog(db, id);
  for (const { level, index, hashes } of proven.partialTiles()) {
    await expectTile(log, level, index, hashes);
  }
  const start = size - (size % TILE);
  if (start > 0n && size - start < FEW) {
    const [changed] = await proven.changesOfTile(start / TILE - 1n, shownBy(log));
    if (changed !== undefined) throw changed;
    await expectEntries(log, proven, start - TILE, start);
  }
  if (start < size) await expectEntries(log, proven, start, size);
}

/** The next batch is built upon the edge. Its root is held against the proven one wherever heads are. */
function rootOfStored(edge: Uint8Array): Uint8Array {
  const count = Math.floor(edge.length / HASH_BYTES);
  return rootOfEdge(Array.from({ length: count }, (_, at) => edge.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)));
}

async function expectTile(log: StoredLog, level: number, index: bigint, proven: Uint8Array): Promise<void> {
  const width = proven.length / HASH_BYTES;
  const stored = (await log.tile(level, index, width)) ?? new Uint8Array();
  for (let offset = 0; offset < width; offset++) {
    const [at, end] = [offset * HASH_BYTES, (offset + 1) * HASH_BYTES];
    expectEqual({ kind: "tile", level, index, offset }, proven.subarray(at, end), stored.subarray(at, end));
  }
}

function shownBy(log: StoredLog): Shown {
  const read = async (first: bigint, end: bigint) => (await log.entries(first, end)).map(({ leaf }) => leaf);
  return { tiles: log, leaves: { read } };
}

async function expectEntries(log: StoredLog, proven: ProvenLog, first: bigint, end: bigint): Promise<void> {
  const entries = await log.entries(first, end);
  let [next, time] = [first, 0n];
  for (const entry of entries) {
    const place = { kind: "entry", index: next } as const;
    if (entry.index !== next) throw new Difference({ ...place, field: "leaf" }, "an entry", NOTHING);
    if (entry.time < time) throw new Difference({ ...place, field: "time" }, `${time} or later`, String(entry.time));
    [next, time] = [next + 1n, entry.time];
  }
  if (next !== end) throw new Difference({ kind: "entry", index: next, field: "leaf" }, "an entry", NOTHING);
  const leaves = entries.map(({ leaf }) => leaf);
  await proven.expectLeaves(first, end, leaves, shownBy(log));
  await expectFound(log, entries);
}

/** Each by its identity, and by its leaf hash where that is another. */
async function expectFound({ db, id }: StoredLog, entries: readonly StoredEntry[]): Promise<void> {
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
      throw new Difference({ kind, index }, hash, at === undefined ? NOTHING : `that hash for entry ${at}`);
    }
  }
}

/** By their key. */
const FIND_IDENTITIES = `SELECT hash, index FROM log.identity WHERE log = $1 AND hash = ANY ($2::bytea[])`;
const FIND_LEAF_HASHES = `SELECT hash, index FROM log.leaf_hash WHERE log = $1 AND hash = ANY ($2::bytea[])`;
