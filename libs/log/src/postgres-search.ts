import { bigintArray, fixedArray, integerArray, type Prepared, type Queryable } from "@chancery/postgres";
import {
  type KeySearch,
  type KeysFound,
  keyLength,
  SEARCH_COLUMNS,
  type SearchColumn,
  type SearchKey,
} from "./search-key.ts";

/** A place is a log and an index in one number, so that an index entry is two numbers: 2^40 entries a log. */
const INDEX_BITS = 40n;
/** What counting the entries of all keys ends at: it is for choosing the rarest group. */
const MOST_COUNTED = 16_384;

export function placeOf(log: number, index: bigint): bigint {
  return (BigInt(log) << INDEX_BITS) | index;
}

export function indexAt(place: bigint): bigint {
  return place & ((1n << INDEX_BITS) - 1n);
}

/** Looks up keys of one log. Each statement's cost is bounded by how many candidates it may look at. */
export class PostgresSearch {
  readonly #db: Queryable;
  readonly #log: number;

  constructor(db: Queryable, log: number) {
    this.#db = db;
    this.#log = log;
  }

  /** `legacy`: the log has entries of before, whose keys of 16 bytes stand in a table of their own. */
  async find({ groups, begin, end, order, candidates }: KeySearch, legacy: boolean): Promise<KeysFound> {
    const [driver = [], ...others] = await this.#rarestFirst(groups, legacy);
    const named = others.flatMap((keys, group) => keys.map((key) => ({ key, group })));
    const columns = driverColumns(driver);
    const statement = searchStatement({ order, legacy, columns, others: others.length > 0 });
    const [row] = await this.#db.query<{ places: bigint[] | null; last: bigint | null; looked: bigint }>(statement, [
      placeOf(this.#log, begin),
      placeOf(this.#log, end),
      candidates,
      ...columns.map((column) => columnArray(column, driver)),
      ...(legacy ? [legacyArray(driver), this.#log] : []),
      ...(others.length === 0 ? [] : [others.length, ...groupArrays(named)]),
      ...(others.length > 0 && legacy ? legacyGroups(named) : []),
    ]);
    const indexes = (row?.places ?? []).map(indexAt);
    const isAll = row === undefined || row.last === null || Number(row.looked) < candidates;
    return { indexes, reached: isAll ? undefined : indexAt(row.last ?? 0n) };
  }

  async #rarestFirst(
    groups: readonly (readonly SearchKey[])[],
    legacy: boolean,
  ): Promise<readonly (readonly SearchKey[])[]> {
    if (groups.length < 2) return groups;
    const named = groups.flatMap((keys, group) => keys.map((key) => ({ key, group })));
    const rows = await this.#db.query<{ member: number; entries: bigint }>(countStatement(legacy), [
      placeOf(this.#log, 0n),
      placeOf(this.#log + 1, 0n),
      Math.min(1_000, Math.ceil(MOST_COUNTED / Math.max(1, named.length))),
      ...groupArrays(named),
      ...(legacy ? [...legacyGroups(named), this.#log] : []),
    ]);
    const counts = new Map(rows.map(({ member, entries }) => [member, entries]));
    return groups
      .map((keys, group) => ({ keys, entries: counts.get(group) ?? 0n }))
      .toSorted((a, b) => (a.entries < b.entries ? -1 : 1))
      .map(({ keys }) => keys);
  }
}

interface Grouped {
  readonly key: SearchKey;
  readonly group: number;
}

const SQL_TYPES = SEARCH_COLUMNS.map((column) => (keyLength(column) === 16 ? "uuid" : "bigint"));

function columnArray(column: string, keys: readonly SearchKey[]): Uint8Array {
  const own = keys.filter((key) => key.column === column).map(({ bytes }) => bytes);
  return fixedArray(column.startsWith("key") ? "uuid" : "bigint", own);
}

/** For each column the groups and the keys. */
function groupArrays(named: readonly Grouped[]): Uint8Array[] {
  return SEARCH_COLUMNS.flatMap((column, at) => {
    const own = named.filter(({ key }) => key.column === column);
    const type = SQL_TYPES[at] === "uuid" ? "uuid" : "bigint";
    return [
      integerArray(own.map(({ group }) => group)),
      fixedArray(
        type,
        own.map(({ key }) => key.bytes),
      ),
    ];
  });
}

/** Whoever asks for a key of the first column asks for one of the others too, which were all that there were before. */
function isLegacy({ column }: SearchKey): boolean {
  return column === "key1" || column === "key2";
}

function legacyArray(keys: readonly SearchKey[]): Uint8Array {
  return fixedArray(
    "uuid",
    keys.filter(isLegacy).map(({ bytes }) => bytes),
  );
}

function legacyGroups(named: readonly Grouped[]): Uint8Array[] {
  const own = named.filter(({ key }) => isLegacy(key));
  return [
    integerArray(own.map(({ group }) => group)),
    fixedArray(
      "uuid",
      own.map(({ key }) => key.bytes),
    ),
  ];
}

interface Shape {
  readonly order: "newest" | "oldest";
  /** Of the driving group. */
  readonly columns: readonly SearchColumn[];
  readonly legacy: boolean;
  readonly others: boolean;
}

const statements = new Map<string, Prepared>();

/**
 * What is searched most often, an artifact by its hash, asks two columns and not seven; for terms there are not so many
 * statements.
 */
function driverColumns(driver: readonly SearchKey[]): readonly SearchColumn[] {
  if (driver.length === 0 || driver.some(({ column }) => !column.startsWith("key"))) return SEARCH_COLUMNS;
  return SEARCH_COLUMNS.filter((column) => driver.some((key) => key.column === column));
}

/** One of sixty-four, whatever is asked: each is parsed and planned once a connection. */
export function searchStatement(shape: Shape): Prepared {
  const name = `log-search-${shape.order}-${shape.columns.length === SEARCH_COLUMNS.length ? "any" : shape.columns.join("-")}${shape.legacy ? "-legacy" : ""}${shape.others ? "-all" : ""}`;
  const known = statements.get(name) ?? { name, text: searchText(shape) };
  statements.set(name, known);
  return known;
}

/** Gives out $4, $5, … in the order in which they are asked for. */
function numbering(first: number): () => string {
  let next = first;
  return () => `$${next++}`;
}

/**
 * $1 and $2 are the places from and to which is looked, $3 how many candidates; then the keys of the driving group, column
 * by column. Each key's entries are read in order from its index, no further than the candidates go. Of each candidate
 * it is then asked, by index, whether it has a key of every other group.
 */
function searchText({ order, columns, legacy, others }: Shape): string {
  const parameter = numbering(4);
  const direction = order === "newest" ? "DESC" : "ASC";
  const parts = columns.map((column) => {
    const keys = `unnest(${parameter()}::${keyLength(column) === 16 ? "uuid" : "bigint"}[]) AS asked (key)`;
    return `SELECT found.place FROM ${keys} CROSS JOIN LATERAL (
       SELECT s.place FROM log.search s WHERE s.${column} = asked.key AND s.place >= $1 AND s.place < $2
       ORDER BY s.place ${direction} LIMIT $3) AS found`;
  });
  const [legacyKeys, log] = legacy ? [parameter(), parameter()] : ["", ""];
  if (legacy) {
    parts.push(`SELECT found.place FROM unnest(${legacyKeys}::uuid[]) AS asked (key) CROSS JOIN LATERAL (
       SELECT k.index + (${log}::bigint << ${INDEX_BITS}) AS place FROM log.search_key k
       WHERE k.log = ${log}::int AND k.key = uuid_send(asked.key)
         AND k.index >= $1 - (${log}::bigint << ${INDEX_BITS}) AND k.index < $2 - (${log}::bigint << ${INDEX_BITS})
       ORDER BY k.index ${direction} LIMIT $3) AS found`);
  }
  const candidates = `SELECT DISTINCT place FROM (${parts.join("\nUNION ALL ")}) AS any_key ORDER BY place ${direction} LIMIT $3`;
  const last = order === "newest" ? "min" : "max";
  if (!others) {
    return `SELECT array_agg(place ORDER BY place ${direction}) AS places, ${last}(place) AS last, count(*) AS looked
      FROM (${candidates}) AS c`;
  }
  const groups = parameter();
  const has = SEARCH_COLUMNS.map(
    (column, at) =>
      `SELECT asked.member FROM unnest(${parameter()}::int[], ${parameter()}::${SQL_TYPES[at]}[]) AS asked (member, key)
       WHERE (SELECT true FROM log.search s WHERE s.${column} = asked.key AND s.place = c.place LIMIT 1)`,
  );
  if (legacy) {
    has.push(`SELECT asked.member FROM unnest(${parameter()}::int[], ${parameter()}::uuid[]) AS asked (member, key)
       WHERE (SELECT true FROM log.search_key k WHERE k.log = ${log}::int AND k.key = uuid_send(asked.key)
         AND k.index = c.place - (${log}::bigint << ${INDEX_BITS}) LIMIT 1)`);
  }
  return `WITH c AS MATERIALIZED (${candidates})
    SELECT array_agg(place ORDER BY place ${direction}) FILTER (WHERE met) AS places, ${last}(place) AS last, count(*) AS looked
    FROM (SELECT c.place, (SELECT count(DISTINCT member) FROM (${has.join("\nUNION ALL ")}) AS had) = ${groups}::int AS met
          FROM c) AS judged`;
}

/** How many entries each group's keys have, as far as it matters. */
export function countStatement(legacy: boolean): Prepared {
  const parameter = numbering(4);
  const parts = SEARCH_COLUMNS.map(
    (column, at) =>
      `SELECT asked.member, (SELECT count(*) FROM (SELECT FROM log.search s
         WHERE s.${column} = asked.key AND s.place >= $1 AND s.place < $2 LIMIT $3) AS these) AS entries
       FROM unnest(${parameter()}::int[], ${parameter()}::${SQL_TYPES[at]}[]) AS asked (member, key)`,
  );
  if (legacy) {
    const [members, keys, log] = [parameter(), parameter(), parameter()];
    parts.push(`SELECT asked.member, (SELECT count(*) FROM (SELECT FROM log.search_key k
         WHERE k.log = ${log}::int AND k.key = uuid_send(asked.key) LIMIT $3) AS these) AS entries
       FROM unnest(${members}::int[], ${keys}::uuid[]) AS asked (member, key)`);
  }
  return {
    name: legacy ? "log-search-count-legacy" : "log-search-count",
    text: `SELECT member, sum(entries)::bigint AS entries FROM (${parts.join("\nUNION ALL ")}) AS counted GROUP BY 1`,
  };
}

export function placesArray(log: number, indexes: readonly bigint[]): Uint8Array {
  return bigintArray(indexes.map((index) => placeOf(log, index)));
}
