import type { Queryable } from "@chancery/postgres";

/** Rows of a statement: some 40 MB of the table. */
const AT_ONCE = 20_000n;

/** The first entry of [from, to) with a time before that of the one before it; undefined where there is none. */
export async function firstEarlier(db: Queryable, log: string, from: bigint, to: bigint): Promise<bigint | undefined> {
  // Each statement begins with the last of the one before it.
  for (let first = from; first < to; first += AT_ONCE) {
    const end = first + AT_ONCE + 1n;
    const [found] = await db.query<{ index: bigint }>(FIRST_EARLIER, [log, first, end < to ? end : to]);
    if (found !== undefined) return found.index;
  }
  return undefined;
}

const FIRST_EARLIER = `SELECT index FROM (
    SELECT index, time < lag(time) OVER (ORDER BY index) AS is_earlier FROM log.entry
    WHERE log = (SELECT id FROM log.log WHERE name = $1) AND index >= $2 AND index < $3) AS neighbours
  WHERE is_earlier ORDER BY index LIMIT 1`;
