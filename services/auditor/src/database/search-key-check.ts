import { Difference, type Found, NOTHING, tell, unlessFound } from "../domain/difference.ts";
import { readAhead } from "../domain/read-ahead.ts";
import { BLOCKS, blocksOf, STATEMENTS } from "./lookup-check.ts";
import { PackedRows } from "./packed-rows.ts";
import type { StoredLog } from "./stored-log.ts";

/** A place has the log's id above 40 bits of index. */
const INDEX = (1n << 40n) - 1n;

/** Of more it is not said which. */
const MOST_TOLD = 100;

interface KeyRows {
  readonly places: Uint8Array | null;
  readonly lowest: bigint | null;
  readonly highest: bigint | null;
  readonly size: bigint;
}

/**
 * The keys that entries are searched by, those of now and of before: none is of an entry outside the tree, and each entry
 * of [from, to) has some. Whether they are the entry's own only its kind can say: that is `chancery index verify`.
 */
export async function checkSearchKeys(
  log: StoredLog,
  { from, to }: { readonly from: bigint; readonly to: bigint },
  progress: (done: number) => void,
  found?: Found,
): Promise<void> {
  const keyed = new Uint8Array(from < to ? Number(to) : 0);
  const tables = [
    { table: "log.search", rows: from < to ? KEYED_PLACES : KEYED_BOUNDS },
    { table: "log.search_key", rows: KEYED_INDEXES },
  ];
  for (const [at, { table, rows }] of tables.entries()) {
    const blocks = await blocksOf(log, table);
    const range = (first: number) => [log.id, `(${first * BLOCKS},0)`, `(${(first + 1) * BLOCKS},0)`];
    const read = (first: number) => log.db.query<KeyRows>(rows, range(first));
    let done = 0;
    for await (const [row] of readAhead(Math.ceil(blocks / BLOCKS), STATEMENTS, read)) {
      progress((at + Math.min(1, (++done * BLOCKS) / blocks)) / tables.length);
      if (row === undefined) continue;
      await unlessFound(found, () => refuseOutside(row));
      note(keyed, new PackedRows(row.places));
    }
  }
  if (from >= to) return;
  const missing: Difference[] = [];
  for (let at = keyed.indexOf(0, Number(from)); at >= 0 && missing.length < MOST_TOLD; at = keyed.indexOf(0, at + 1)) {
    missing.push(new Difference({ kind: "search key", index: BigInt(at) }, "some", NOTHING));
  }
  tell(found, missing);
}

function note(keyed: Uint8Array, places: PackedRows): void {
  while (!places.done) {
    const index = Number(places.int8() & INDEX);
    // Those of a batch that came meanwhile lie beyond the end.
    if (index < keyed.length) keyed[index] = 1;
  }
}

function refuseOutside({ lowest, highest, size }: KeyRows): void {
  if (lowest === null || highest === null || (lowest >= 0n && highest < size)) return;
  const found = `a key of an entry outside the tree of ${size}`;
  throw new Difference({ kind: "search key", index: lowest < 0n ? lowest : highest }, NOTHING, found);
}

/** Entries of before an upgrade have keys of another form, until the index was rebuilt. */
export async function countUnindexed({ db, id }: StoredLog): Promise<bigint> {
  const [row] = await db.query<{ size: bigint }>(
    `SELECT size FROM log.search_gap g WHERE log = $1
       AND NOT EXISTS (SELECT FROM log.search_rebuilt r WHERE r.log = g.log AND r.size >= g.size)`,
    [id],
  );
  return row?.size ?? 0n;
}

const keysOf = (places: string) => `SELECT ${places} AS places,
    min(place) & ((1::bigint << 40) - 1) AS lowest, max(place) & ((1::bigint << 40) - 1) AS highest,
    (SELECT size FROM log.tree WHERE log = $1) AS size
  FROM log.search WHERE place >> 40 = $1 AND ctid >= $2::tid AND ctid < $3::tid`;
const KEYED_BOUNDS = keysOf("NULL::bytea");
const KEYED_PLACES = keysOf("string_agg(int8send(place), ''::bytea)");

const KEYED_INDEXES = `SELECT NULL::bytea AS places, min(index) AS lowest, max(index) AS highest,
    (SELECT size FROM log.tree WHERE log = $1) AS size
  FROM log.search_key WHERE log = $1 AND ctid >= $2::tid AND ctid < $3::tid`;
