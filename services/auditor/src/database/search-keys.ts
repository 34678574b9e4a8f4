import { bigintArray, bytesArray, type Queryable } from "@chancery/postgres";
import { sha256 } from "../domain/merkle.ts";

/** Half of a SHA-256 is what the index keeps of a text. */
const KEY_BYTES = 16;
/** A row's place: the log's id above 40 bits of index. */
const INDEX_BITS = 40n;

/** What a text is found by: letter case carries no meaning. */
export function searchKeyOf(text: string): Uint8Array {
  return sha256(Buffer.from(text.toLowerCase())).subarray(0, KEY_BYTES);
}

/** The first text by which its entry is not found; the index of a log is looked up row by row, by its own key. */
export async function firstUnfound(
  db: Queryable,
  log: number,
  wanted: readonly { readonly index: bigint; readonly texts: readonly string[] }[],
): Promise<{ readonly index: bigint; readonly text: string } | undefined> {
  const pairs = wanted.flatMap(({ index, texts }) => texts.map((text) => ({ index, text, key: searchKeyOf(text) })));
  if (pairs.length === 0) return undefined;
  const rows = await db.query<{ ordinal: bigint }>(UNFOUND, [
    log,
    bytesArray(pairs.map(({ key }) => key)),
    bigintArray(pairs.map(({ index }) => (BigInt(log) << INDEX_BITS) | index)),
    bigintArray(pairs.map(({ index }) => index)),
  ]);
  const [first] = rows.map(({ ordinal }) => pairs[Number(ordinal) - 1]);
  return first;
}

/** Whichever of the columns the index keeps it in; entries of before have it in a table of their own. */
const UNFOUND = `SELECT wanted.ordinal
  FROM unnest($2::bytea[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS wanted (key, place, index, ordinal)
  CROSS JOIN LATERAL (SELECT encode(wanted.key, 'hex')::uuid AS id) AS named
  WHERE NOT EXISTS (SELECT FROM log.search s WHERE s.key1 = named.id AND s.place = wanted.place)
    AND NOT EXISTS (SELECT FROM log.search s WHERE s.key0 = named.id AND s.place = wanted.place)
    AND NOT EXISTS (SELECT FROM log.search s WHERE s.key2 = named.id AND s.place = wanted.place)
    AND NOT EXISTS (SELECT FROM log.search_key s WHERE s.log = $1 AND s.key = wanted.key AND s.index = wanted.index)
  ORDER BY wanted.ordinal LIMIT 1`;
