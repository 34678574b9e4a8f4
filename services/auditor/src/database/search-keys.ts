import { bigintArray, bytesArray, type Queryable } from "@chancery/postgres";
import { sha256 } from "../domain/merkle.ts";

/** Half of a SHA-256 is what the index keeps of a text. */
const KEY_BYTES = 16;

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
  const rows = await db.query<{ place: bigint }>(UNFOUND, [
    log,
    bytesArray(pairs.map(({ key }) => key)),
    bigintArray(pairs.map(({ index }) => index)),
  ]);
  const [first] = rows.map(({ place }) => pairs[Number(place) - 1]);
  return first;
}

const UNFOUND = `SELECT wanted.place FROM unnest($2::bytea[], $3::bigint[]) WITH ORDINALITY AS wanted (key, index, place)
  WHERE NOT EXISTS (SELECT FROM log.search_key s WHERE s.log = $1 AND s.key = wanted.key AND s.index = wanted.index)
  ORDER BY wanted.place LIMIT 1`;
