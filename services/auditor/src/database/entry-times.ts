import type { Queryable } from "@chancery/postgres";
import { Difference, NOTHING } from "../domain/difference.ts";

/** The times of the entries [first, end), milliseconds since 1970. */
export async function readTimes(db: Queryable, log: number, first: bigint, end: bigint): Promise<bigint[]> {
  const rows = await db.query<{ index: bigint; time: bigint }>(TIMES, [log, first, end]);
  for (let index = first; index < end; index++) {
    if (rows[Number(index - first)]?.index !== index) {
      throw new Difference({ kind: "entry", index, field: "time" }, "an entry", NOTHING);
    }
  }
  return rows.map(({ time }) => time);
}

/** How many entries the database has, and what it says is now: in this order, so that later entries have later times. */
export async function readSizeAndTime(db: Queryable, log: number): Promise<{ size: bigint; now: bigint }> {
  const [clock] = await db.query<{ now: bigint }>(NOW);
  const [tree] = await db.query<{ size: bigint }>("SELECT size FROM log.tree WHERE log = $1", [log]);
  return { size: tree?.size ?? 0n, now: clock?.now ?? 0n };
}

const TIMES = `SELECT index, time FROM log.entry WHERE log = $1 AND index >= $2 AND index < $3 ORDER BY index`;

const NOW = `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now`;
