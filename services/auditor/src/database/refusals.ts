import type { Queryable } from "@chancery/postgres";

/** Rows of the CA's refusals that were read together: those of these places. */
export interface RefusalPage {
  /** Places in (after, last]. A place is given when a row is written; its time is that of the first refusal it counts. */
  readonly after: bigint;
  readonly last: bigint;
  readonly times: readonly [first: bigint, last: bigint];
  readonly count: number;
  /** SHA-256 of all columns of all rows, hexadecimal. */
  readonly hash: string;
}

/** Rows are looked for by time, which their key begins with: one is written a minute after the time it states, or a few. */
const APART_MS = 600_000n;
/** Rows of a look at what is new. */
const WINDOW = 20_000;

/** The highest place among the oldest rows since, and until when these reach; undefined where there is none. */
export async function newestRefusal(db: Queryable, since: bigint) {
  const [row] = await db.query<{ place: bigint | null; time: bigint | null }>(NEWEST, [since]);
  return row?.place == null || row.time == null ? undefined : { place: row.place, until: row.time + APART_MS };
}

/** The first `most` rows of (after, last]; undefined where there is none. */
export async function readRefusals(
  db: Queryable,
  { after, last, times: [first, until] }: Pick<RefusalPage, "after" | "last" | "times">,
  most: number,
): Promise<RefusalPage | undefined> {
  const [row] = await db.query<StoredPage>(PAGE, [after, last, first, until, most]);
  if (row?.last == null || row.from == null || row.until == null) return undefined;
  const { count, hash } = row;
  return {
    after,
    last: row.last,
    times: [row.from, row.until],
    count: Number(count),
    hash: (hash ?? Buffer.of()).toHex(),
  };
}

/** A row that follows one of this time states none before. */
export function earliestAfter(time: bigint): bigint {
  return time - APART_MS;
}

interface StoredPage {
  readonly count: bigint;
  readonly last: bigint | null;
  readonly from: bigint | null;
  readonly until: bigint | null;
  readonly hash: Uint8Array | null;
}

const NEWEST = `SELECT max(place) AS place, max(time) AS time FROM (
  SELECT time, place FROM fulcio.refusal WHERE time >= $1 ORDER BY time, place LIMIT ${WINDOW}) AS oldest`;

const PAGE = `SELECT count(*) AS count, max(place) AS last, min(time) AS from, max(time) AS until,
    sha256(string_agg(sha256(convert_to(row(time, place, count, code, reason, issuer, subject, rule)::text, 'UTF8')), ''::bytea ORDER BY place)) AS hash
  FROM (SELECT * FROM fulcio.refusal WHERE time >= $3 AND time <= $4 AND place > $1 AND place <= $2
    ORDER BY place LIMIT $5) AS page`;
