import { bigintArray, fixedArray, integerArray, type Prepared, type Queryable } from "@chancery/postgres";
import { indexAt, placeOf } from "./postgres-search.ts";
import type { KeySearch, KeysFound, SearchColumn, SearchKey } from "./search-key.ts";
import { SharedQuery } from "./shared-query.ts";

const COLUMNS = ["key0", "key1", "key2"] as const satisfies readonly SearchColumn[];
/** What many ask at once is asked with the longest of their answers in view. */
const MOST_CANDIDATES = 1_024;
const MOST_KEYS = 4;

/**
 * Newest entries by one text each, an artifact's hash most often, of many who ask at once: with 8 clients one statement
 * for those who wait together takes a quarter off the server's part, and a seventh off the whole.
 */
export class PostgresSharedSearch {
  readonly #db: Queryable;
  readonly #log: number;
  readonly #shared: SharedQuery<Question, readonly bigint[]>;

  constructor(db: Queryable, log: number) {
    this.#db = db;
    this.#log = log;
    this.#shared = new SharedQuery((questions) => this.#read(questions));
  }

  /** Undefined if this search is not of that kind. */
  find({ groups, begin, end, order, candidates }: KeySearch): Promise<KeysFound> | undefined {
    const [keys = [], ...others] = groups;
    const isShared =
      others.length === 0 &&
      order === "newest" &&
      begin === 0n &&
      candidates <= MOST_CANDIDATES &&
      keys.length <= MOST_KEYS &&
      keys.every(({ column }) => column.startsWith("key"));
    return isShared ? this.#find({ keys, end, candidates }) : undefined;
  }

  async #find(question: Question): Promise<KeysFound> {
    const indexes = (await this.#shared.ask(question)).slice(0, question.candidates).map(indexAt);
    return { indexes, reached: indexes.length < question.candidates ? undefined : indexes.at(-1) };
  }

  async #read(questions: readonly Question[]): Promise<(readonly bigint[])[]> {
    const asked = questions.flatMap(({ keys }, at) => keys.map((key) => ({ key, ordinal: at + 1 })));
    const rows = await this.#db.query<{ ordinal: bigint; places: bigint[] | null }>(SHARED_SEARCH, [
      placeOf(this.#log, 0n),
      bigintArray(questions.map(({ end }) => placeOf(this.#log, end))),
      Math.max(...questions.map(({ candidates }) => candidates)),
      ...COLUMNS.flatMap((column) => {
        const own = asked.filter(({ key }) => key.column === column);
        return [
          integerArray(own.map(({ ordinal }) => ordinal)),
          fixedArray(
            "uuid",
            own.map(({ key }) => key.bytes),
          ),
        ];
      }),
    ]);
    const found = new Map(rows.map(({ ordinal, places }) => [Number(ordinal), places]));
    return questions.map((_, at) => found.get(at + 1) ?? []);
  }
}

interface Question {
  readonly keys: readonly SearchKey[];
  readonly end: bigint;
  readonly candidates: number;
}

/** $1 is the log's first place, $2 the places before which each looks, $3 how many it may find; then its keys, by column. */
export const SHARED_SEARCH: Prepared = {
  name: "log-search-shared",
  text: `SELECT asked.ordinal, (
     SELECT array_agg(place ORDER BY place DESC) FROM (
       SELECT DISTINCT place FROM (${COLUMNS.map(
         (column, at) => `SELECT found.place
         FROM unnest($${4 + 2 * at}::int[], $${5 + 2 * at}::uuid[]) AS keys (ordinal, key) CROSS JOIN LATERAL (
           SELECT s.place FROM log.search s WHERE s.${column} = keys.key AND s.place >= $1 AND s.place < asked.beyond
           ORDER BY s.place DESC LIMIT $3) AS found
         WHERE keys.ordinal = asked.ordinal`,
       ).join("\nUNION ALL ")}) AS any_key ORDER BY place DESC LIMIT $3) AS newest) AS places
   FROM unnest($2::bigint[]) WITH ORDINALITY AS asked (beyond, ordinal)`,
};
