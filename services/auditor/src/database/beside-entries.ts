import type { Queryable } from "@chancery/postgres";
import { Difference, NOTHING } from "../domain/difference.ts";

/** What stands beside an entry and is under no hash of the tree. */
export interface BesideEntry {
  /** Milliseconds since 1970. */
  readonly time: bigint;
  /** Half of a SHA-256 of what is kept of its attestation, hexadecimal; empty where nothing is. */
  readonly extra: string;
}

/** Of the entries [first, end), undefined where one is missing. Attestations may be large: the database hashes them, where they are asked for. */
export async function readBeside(
  db: Queryable,
  log: number,
  [first, end]: readonly [bigint, bigint],
  { withExtra }: { readonly withExtra: boolean },
): Promise<(BesideEntry | undefined)[]> {
  const rows = await db.query<{ index: bigint; time: bigint; extra: Uint8Array | null }>(withExtra ? WHOLE : TIMES, [
    log,
    first,
    end,
  ]);
  const found = new Map(
    rows.map(({ index, time, extra }) => [index, { time, extra: extra?.subarray(0, 16).toHex() ?? "" }]),
  );
  return Array.from({ length: Number(end - first) }, (_, at) => found.get(first + BigInt(at)));
}

/** Those that are missing, the ones side by side together. */
export function missingFrom(first: bigint, entries: readonly (BesideEntry | undefined)[]): Difference[] {
  const missing: { index: bigint; more: number }[] = [];
  for (const [at, entry] of entries.entries()) {
    if (entry !== undefined) continue;
    const [index, last] = [first + BigInt(at), missing.at(-1)];
    if (last !== undefined && last.index + BigInt(last.more) + 1n === index) last.more++;
    else missing.push({ index, more: 0 });
  }
  return missing.map(({ index, more }) => {
    const place = { kind: "entry", index, field: "time", ...(more > 0 && { more }) } as const;
    return new Difference(place, "an entry", NOTHING);
  });
}

/** How many entries the database has at least at a time: those that it has not have later ones. */
export async function readSizeAndTime(db: Queryable, log: number): Promise<{ size: bigint; now: bigint }> {
  const [row] = await db.query<{ size: bigint; now: bigint }>(SIZE_AND_TIME, [log]);
  return { size: row?.size ?? 0n, now: row?.now ?? 0n };
}

const TIMES = `SELECT index, time, NULL::bytea AS extra FROM log.entry
  WHERE log = $1 AND index >= $2 AND index < $3 ORDER BY index`;

const WHOLE = `SELECT index, time, sha256(nullif(extra, ''::bytea)) AS extra FROM log.entry
  WHERE log = $1 AND index >= $2 AND index < $3 ORDER BY index`;

/** The statement came before its snapshot was taken: what is not in this size came after this time. */
const SIZE_AND_TIME = `SELECT size, (extract(epoch FROM statement_timestamp()) * 1000)::bigint AS now FROM log.tree WHERE log = $1`;
