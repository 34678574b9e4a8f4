import { RefusedToSign } from "@chancery/fault";
import { bigintArray, type Database, type Prepared, type Queryable } from "@chancery/postgres";
import type { LoggedEntry, PublishedCheckpoint } from "./entry.ts";
import { unpackEntries, unpackLeaves } from "./packed-entries.ts";
import { type EntryRow, loggedEntry, PostgresReads } from "./postgres-reads.ts";
import * as sql from "./postgres-statements.ts";
import { PostgresSearch } from "./postgres-search.ts";
import { PostgresSharedSearch } from "./postgres-shared-search.ts";
import type { KeySearch, KeysFound } from "./search-key.ts";
import { SharedQuery } from "./shared-query.ts";
import type { LogReader, PartialEntry, SizeAt, TileName } from "./store.ts";

export class PostgresLogReader implements LogReader {
  /** What a search asks: each statement has two seconds. */
  readonly #searches: Queryable;
  readonly #runs: Queryable;
  readonly #log: number;
  readonly #reads: PostgresReads;
  readonly #search: PostgresSearch;
  readonly #sharedSearch: PostgresSharedSearch;
  readonly #published: SharedQuery<undefined, PublishedCheckpoint | undefined>;
  #settled: SearchState | undefined;

  /** `runs`: where runs of entries are read, and entries looked up. */
  constructor(db: Database, log: number, runs: Queryable = db) {
    this.#searches = db.searches;
    this.#runs = runs;
    this.#log = log;
    this.#search = new PostgresSearch(db.searches, log);
    this.#sharedSearch = new PostgresSharedSearch(db.searches, log);
    // A writer answers with these, too; they are shared, and so there are few however many ask.
    this.#reads = new PostgresReads(db.reserved, log);
    this.#published = new SharedQuery(async (asked) => {
      const published = await readPublished(db.reserved, log);
      return asked.map(() => published);
    });
  }

  published(): Promise<PublishedCheckpoint | undefined> {
    return this.#published.ask(undefined);
  }

  async entries(start: bigint, count: number): Promise<LoggedEntry[]> {
    if (count === 1) {
      const entry = await this.#reads.entry(start);
      return entry === undefined ? [] : [entry];
    }
    return await this.#packed(sql.ENTRIES, start, count, unpackEntries);
  }

  async leaves(start: bigint, count: number): Promise<Uint8Array[]> {
    return (await this.#packed(sql.LEAVES, start, count, unpackLeaves)).map(({ leaf }) => leaf);
  }

  async #packed<Unpacked extends { readonly index: bigint }>(
    statement: Prepared,
    start: bigint,
    count: number,
    unpack: (packed: Uint8Array) => Unpacked[],
  ): Promise<Unpacked[]> {
    const rows = await this.#runs.query<{ rows: Uint8Array }>(statement, [this.#log, start, start + BigInt(count)]);
    const entries = rows.flatMap((row) => unpack(row.rows));
    const gap = entries.findIndex((entry, at) => entry.index !== start + BigInt(at));
    if (gap >= 0) throw new RefusedToSign(`entry ${start + BigInt(gap)} is missing from the database (npm run fsck)`);
    return entries;
  }

  async tiles(tiles: readonly TileName[]): Promise<Uint8Array[]> {
    return await Promise.all(tiles.map((tile) => this.#reads.tile(tile)));
  }

  async findIndex(by: "identity" | "leaf-hash", hash: Uint8Array): Promise<bigint | undefined> {
    const statement = by === "identity" ? sql.FIND_IDENTITY : sql.FIND_LEAF_HASH;
    const [row] = await this.#runs.query<{ index: bigint }>(statement, [this.#log, hash]);
    return row?.index;
  }

  async sizesAt(times: readonly number[], size: bigint): Promise<SizeAt[]> {
    return await this.#searches.query<{ least: bigint; most: bigint }>(sql.SIZES_AT, [
      this.#log,
      bigintArray(times.map((time) => BigInt(time))),
      size,
    ]);
  }

  async entriesAt(indexes: readonly bigint[], extraBytes: number): Promise<PartialEntry[]> {
    const rows = await this.#searches.query<EntryRow & { length: number }>(sql.ENTRIES_IN_PART, [
      this.#log,
      bigintArray(indexes),
      extraBytes,
    ]);
    const found = new Map(rows.map((row) => [row.index, row]));
    return indexes.flatMap((index) => {
      const row = found.get(index);
      return row === undefined ? [] : [{ ...loggedEntry(row), extraLength: row.length }];
    });
  }

  async search(search: KeySearch): Promise<KeysFound> {
    const { gap } = await this.#searchState();
    const shared = gap > 0n ? undefined : this.#sharedSearch.find(search);
    return await (shared ?? this.#search.find(search, gap > 0n));
  }

  async names(prefix: string, limit: number): Promise<Uint8Array[]> {
    const rows = await this.#searches.query<{ key: Uint8Array }>(sql.NAMES, [this.#log, prefix, limit]);
    return rows.map(({ key }) => key);
  }

  async unindexed(): Promise<bigint> {
    const { gap, rebuilt } = await this.#searchState();
    return rebuilt < gap ? gap : 0n;
  }

  /** A gap never grows, and what was rebuilt once stays so: nothing changes any more where there is none left. */
  async #searchState(): Promise<SearchState> {
    if (this.#settled !== undefined) return this.#settled;
    const [row] = await this.#searches.query<{ gap: bigint; rebuilt: bigint | null }>(sql.SEARCH_STATE, [this.#log]);
    const state = { gap: row?.gap ?? 0n, rebuilt: row?.rebuilt ?? 0n };
    if (state.rebuilt >= state.gap) this.#settled = state;
    return state;
  }
}

async function readPublished(db: Queryable, log: number): Promise<PublishedCheckpoint | undefined> {
  const [row] = await db.query<{ size: bigint; root: Uint8Array; time: bigint; note: Uint8Array }>(sql.PUBLISHED, [
    log,
  ]);
  return row && { head: { size: row.size, root: row.root }, time: Number(row.time), note: row.note };
}

interface SearchState {
  readonly gap: bigint;
  readonly rebuilt: bigint;
}
