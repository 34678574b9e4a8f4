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

/** The log keeps a digest that stands in an entry both bare and behind `sha256:` once, in either spelling. */
function spellingsOf(text: string): string[] {
  const [, digest] = /^(?:sha256:)?([0-9a-f]{64})$/i.exec(text) ?? [];
  return digest === undefined ? [text] : [digest, `sha256:${digest}`];
}

export interface Sought {
  readonly index: bigint;
  readonly text: string;
  /** Any of them finds it. */
  readonly keys: readonly Uint8Array[];
}

/** What an entry must be found by. */
export function soughtOf(index: bigint, texts: readonly string[]): Sought[] {
  return texts.map((text) => ({ index, text, keys: spellingsOf(text).map(searchKeyOf) }));
}

/** The texts by which their entries are not found; the index of a log is looked up row by row, by its own key. */
export async function findUnfound(db: Queryable, log: number, sought: readonly Sought[]): Promise<Sought[]> {
  const keys = sought.flatMap((one) => one.keys.map((key) => ({ one, key })));
  if (keys.length === 0) return [];
  const rows = await db.query<{ ordinal: bigint }>(UNFOUND, [
    log,
    bytesArray(keys.map(({ key }) => key)),
    bigintArray(keys.map(({ one }) => (BigInt(log) << INDEX_BITS) | one.index)),
    bigintArray(keys.map(({ one }) => one.index)),
  ]);
  const missing = new Set(rows.map(({ ordinal }) => Number(ordinal) - 1));
  const found = new Set(keys.filter((_, at) => !missing.has(at)).map(({ one }) => one));
  return sought.filter((one) => !found.has(one));
}

/** Whichever of the columns the index keeps it in; entries of before have it in a table of their own. */
const UNFOUND = `SELECT wanted.ordinal
  FROM unnest($2::bytea[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS wanted (key, place, index, ordinal)
  CROSS JOIN LATERAL (SELECT encode(wanted.key, 'hex')::uuid AS id) AS named
  WHERE NOT EXISTS (SELECT FROM log.search s WHERE s.key1 = named.id AND s.place = wanted.place)
    AND NOT EXISTS (SELECT FROM log.search s WHERE s.key0 = named.id AND s.place = wanted.place)
    AND NOT EXISTS (SELECT FROM log.search s WHERE s.key2 = named.id AND s.place = wanted.place)
    AND NOT EXISTS (SELECT FROM log.search_key s WHERE s.log = $1 AND s.key = wanted.key AND s.index = wanted.index)`;
