import { type Database, fixedArray, integerArray, type Queryable, textArray } from "@chancery/postgres";
import { PostgresLogReader } from "./postgres-log-reader.ts";
import { indexAt, placeOf, placesArray } from "./postgres-search.ts";
import { nameColumns, searchColumns } from "./postgres-search-rows.ts";
import { distinctKeys, keyLength, SEARCH_COLUMNS, type SearchKey, type SearchName } from "./search-key.ts";
import { SearchKeys } from "./search-keys.ts";
import * as sql from "./postgres-statements.ts";
import type { LogReader } from "./store.ts";

/** What an entry is found by, as it should be stored or as it is. */
export interface KeyedEntry {
  readonly index: bigint;
  readonly searchKeys: readonly SearchKey[];
  readonly names: readonly SearchName[];
}

/** A name as it is stored, and whether any entry has its key. */
export interface StoredName {
  readonly name: string;
  readonly key: Uint8Array;
  readonly used: boolean;
}

/** 16 MB of a table in a statement. */
const BLOCKS = 2048;
const NAMES = 1_000;
/** "search in"; any constant of our own. Two that add what is missing would add it twice. */
const LOCK = 0x73656172;

/** A log's search keys as they are stored, for whoever holds them against the entries or adds those that are missing. */
export class PostgresSearchIndex {
  readonly reader: LogReader;
  readonly #db: Database;
  readonly #log: number;

  private constructor(db: Database, log: number) {
    this.#db = db;
    this.#log = log;
    this.reader = new PostgresLogReader(db, log);
  }

  /** Undefined where the database has no such log. */
  static async open(db: Database, name: string): Promise<PostgresSearchIndex | undefined> {
    const [row] = await db.query<{ id: number }>(sql.FIND_LOG, [name]);
    return row && new PostgresSearchIndex(db, row.id);
  }

  /** What is not stored of what the entries should be found by. */
  async missing(entries: readonly KeyedEntry[], db: Queryable = this.#db): Promise<KeyedEntry[]> {
    const keys = entries.map(({ searchKeys }) => distinctKeys(searchKeys));
    const names = entries.flatMap((entry) => entry.names);
    const [lost, known] = await Promise.all([
      db.query<{ entry: number; ordinal: number }>(MISSING_KEYS, this.#columnsOf(entries, keys)),
      db.query<{ ordinal: bigint }>(KNOWN_NAMES, [
        this.#log,
        textArray(names.map(({ name }) => name)),
        fixedArray(
          "uuid",
          names.map(({ key }) => key),
        ),
      ]),
    ]);
    const stored = new Set(known.map(({ ordinal }) => names[Number(ordinal) - 1]));
    const lostOf = Map.groupBy(lost, ({ entry }) => entry);
    return entries
      .map(({ index, names: own }, at) => ({
        index,
        searchKeys: (lostOf.get(at) ?? []).flatMap(({ ordinal }) => keys[at]?.[ordinal] ?? []),
        names: own.filter((name) => !stored.has(name)),
      }))
      .filter((entry) => entry.searchKeys.length > 0 || entry.names.length > 0);
  }

  /** Stores what is missing of what the entries should be found by; resolves with of how many something was. */
  async complete(entries: readonly KeyedEntry[]): Promise<number> {
    if ((await this.missing(entries)).length === 0) return 0;
    return await this.#db.transaction(async (tx) => {
      await tx.query("SELECT pg_advisory_xact_lock($1, $2)", [LOCK, this.#log]);
      const missing = await this.missing(entries, tx);
      for (const { index, searchKeys } of missing) {
        const entry = { searchKeys: SearchKeys.of(searchKeys) };
        await tx.query(ADD_KEYS, searchColumns(this.#log, index, [entry]));
      }
      await tx.query(ADD_NAMES, [this.#log, ...nameColumns(missing)]);
      return missing.length;
    });
  }

  /** From now on a search misses none of the first `size` entries. */
  async noteRebuilt(size: bigint): Promise<void> {
    await this.#db.reserved.query("INSERT INTO log.search_rebuilt (log, size) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
      this.#log,
      size,
    ]);
  }

  /** All rows as they lie on the disk; `done` of `total` parts are read. */
  async *rows(): AsyncGenerator<{
    readonly rows: readonly KeyedEntry[];
    readonly done: number;
    readonly total: number;
  }> {
    const [size] = await this.#db.query<{ blocks: bigint }>(BLOCKS_OF_SEARCH);
    const total = Math.ceil(Number(size?.blocks ?? 0n) / BLOCKS);
    for (let at = 0; at < total; at++) {
      const rows = await this.#db.query<SearchRow>(STORED_ROWS, [
        placeOf(this.#log, 0n),
        placeOf(this.#log + 1, 0n),
        `(${at * BLOCKS},0)`,
        `(${(at + 1) * BLOCKS},0)`,
      ]);
      yield { rows: rows.map(keyedEntry), done: at + 1, total };
    }
  }

  /** All names, in their order, a page at a time. */
  async *names(): AsyncGenerator<readonly StoredName[]> {
    let [name, key] = ["", new Uint8Array(16)];
    for (;;) {
      const page = await this.#db.query<StoredName>(STORED_NAMES, [
        this.#log,
        name,
        fixedArray("uuid", [key]),
        placeOf(this.#log, 0n),
        placeOf(this.#log + 1, 0n),
        NAMES,
      ]);
      yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < NAMES) return;
      [name, key] = [last.name, Uint8Array.from(last.key)];
    }
  }

  /** For each column: whose keys they are, which of theirs, at which places, and the keys. */
  #columnsOf(entries: readonly KeyedEntry[], keys: readonly (readonly SearchKey[])[]): Uint8Array[] {
    const all = keys.flatMap((own, entry) =>
      own.map((key, ordinal) => ({ key, entry, ordinal, index: entries[entry]?.index ?? 0n })),
    );
    return SEARCH_COLUMNS.flatMap((column) => {
      const own = all.filter(({ key }) => key.column === column);
      return [
        integerArray(own.map(({ entry }) => entry)),
        integerArray(own.map(({ ordinal }) => ordinal)),
        placesArray(
          this.#log,
          own.map(({ index }) => index),
        ),
        fixedArray(
          keyLength(column) === 16 ? "uuid" : "bigint",
          own.map(({ key }) => key.bytes),
        ),
      ];
    });
  }
}

type SearchRow = { readonly place: bigint } & Readonly<Record<(typeof SEARCH_COLUMNS)[number], Uint8Array | null>>;

function keyedEntry({ place, ...row }: SearchRow): KeyedEntry {
  const searchKeys = SEARCH_COLUMNS.flatMap((column) => {
    const bytes = row[column];
    return bytes === null ? [] : [{ column, bytes }];
  });
  return { index: indexAt(place), searchKeys, names: [] };
}

const MISSING_KEYS = {
  name: "log-missing-keys",
  text: SEARCH_COLUMNS.map((column, at) => {
    const [entries, ordinals, places, keys] = [1, 2, 3, 4].map((parameter) => `$${at * 4 + parameter}`);
    const type = keyLength(column) === 16 ? "uuid" : "bigint";
    return `SELECT a.entry, a.ordinal FROM unnest(${entries}::int[], ${ordinals}::int[], ${places}::bigint[], ${keys}::${type}[])
        AS a (entry, ordinal, place, key)
      WHERE (SELECT true FROM log.search s WHERE s.${column} = a.key AND s.place = a.place LIMIT 1) IS NULL`;
  }).join("\nUNION ALL "),
};

const KNOWN_NAMES = {
  name: "log-known-names",
  text: `SELECT a.ordinal FROM unnest($2::text[], $3::uuid[]) WITH ORDINALITY AS a (name, key, ordinal)
    WHERE (SELECT true FROM log.name n WHERE n.log = $1 AND n.name = a.name AND n.key = a.key)`,
};

const ADD_KEYS = {
  name: "log-add-keys",
  text: `INSERT INTO log.search (place, key0, key1, key2, term0, term1, term2, term3)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::uuid[],
      $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])`,
};

/** One statement a page, so that its names are in one order: see `nameColumns`. */
const ADD_NAMES = {
  name: "log-add-names",
  text: `INSERT INTO log.name (log, name, key)
    SELECT $1, added.name, added.key FROM unnest($2::text[], $3::uuid[]) AS added (name, key)
    ON CONFLICT DO NOTHING`,
};

const BLOCKS_OF_SEARCH = `SELECT pg_relation_size('log.search') / current_setting('block_size')::bigint AS blocks`;

const STORED_ROWS = `SELECT place, ${SEARCH_COLUMNS.map((column) => `${keyLength(column) === 16 ? "uuid_send" : "int8send"}(${column}) AS ${column}`).join(", ")}
  FROM log.search WHERE place >= $1 AND place < $2 AND ctid >= $3::tid AND ctid < $4::tid`;

const STORED_NAMES = `SELECT n.name, uuid_send(n.key) AS key,
    coalesce(${["key0", "key1", "key2"].map((column) => `(SELECT true FROM log.search s WHERE s.${column} = n.key AND s.place >= $4 AND s.place < $5 LIMIT 1)`).join(", ")}, false) AS used
  FROM log.name n, unnest($3::uuid[]) AS after (key)
  WHERE n.log = $1 AND (n.name, n.key) > ($2, after.key) ORDER BY n.log, n.name, n.key LIMIT $6`;
