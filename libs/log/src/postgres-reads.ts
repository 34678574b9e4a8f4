import { bigintArray, integerArray, type Queryable } from "@chancery/postgres";
import { leafHash, TILE_WIDTH } from "@chancery/tlog";
import type { LoggedEntry } from "./entry.ts";
import { unpackLeaf } from "./packed-leaf.ts";
import * as sql from "./postgres-statements.ts";
import { ONE_AT_A_TIME, SharedQuery } from "./shared-query.ts";
import { PART_WIDTH, type TileName } from "./store.ts";

/** Single entries and tiles of one log, read together: an entry and its proof, and those of other readers. */
export class PostgresReads {
  readonly #db: Queryable;
  readonly #log: number;
  readonly #shared: SharedQuery<Question, Row | undefined>;
  readonly #alone: SharedQuery<bigint, EntryRow | undefined>;

  constructor(db: Queryable, log: number) {
    this.#db = db;
    this.#log = log;
    this.#shared = new SharedQuery((questions) => this.#read(questions));
    this.#alone = new SharedQuery(
      (indexes) => Promise.all(indexes.map((index) => this.#readAlone(index))),
      ONE_AT_A_TIME,
    );
  }

  async entry(index: bigint): Promise<LoggedEntry | undefined> {
    const shared = await this.#shared.ask({ entry: index });
    if (shared === undefined || isTileRow(shared)) return undefined;
    const row = shared.large ? await this.#alone.ask(index) : shared;
    return row && loggedEntry(row);
  }

  /** Its hashes, or those of one of its parts; none where there are none, or not all up to the last. */
  async tile(tile: TileName): Promise<Uint8Array> {
    const row = await this.#shared.ask({ tile });
    return row !== undefined && isTileRow(row) ? row.hashes : new Uint8Array();
  }

  async #read(questions: readonly Question[]): Promise<(Row | undefined)[]> {
    const indexes = questions.flatMap((question) => ("entry" in question ? [question.entry] : []));
    const tiles = questions.flatMap((question) => ("tile" in question ? [question.tile] : []));
    const rows = await this.#db.query<Row>(sql.READ, [
      this.#log,
      bigintArray(indexes),
      integerArray(tiles.map(({ level }) => level)),
      bigintArray(tiles.map(({ index }) => BigInt(index))),
      integerArray(tiles.map(({ part }) => (part ?? 0) * PART_WIDTH)),
      integerArray(tiles.map(({ part }) => (part === undefined ? TILE_WIDTH : (part + 1) * PART_WIDTH))),
    ]);
    const found = new Map(rows.map((row) => [isTileRow(row) ? tiles[Number(row.ordinal) - 1] : row.index, row]));
    return questions.map((question) => found.get("entry" in question ? question.entry : question.tile));
  }

  async #readAlone(index: bigint): Promise<EntryRow | undefined> {
    const [row] = await this.#db.query<EntryRow>(sql.READ_ALONE, [this.#log, index]);
    return row;
  }
}

type Question = { readonly entry: bigint } | { readonly tile: TileName };

type Row = TileRow | (EntryRow & { readonly ordinal: null; readonly large: boolean });

interface TileRow {
  readonly ordinal: bigint;
  readonly hashes: Uint8Array;
}

function isTileRow(row: Row): row is TileRow {
  return row.ordinal !== null;
}

export interface EntryRow {
  readonly index: bigint;
  readonly time: bigint;
  readonly identity: Uint8Array | null;
  /** As it is stored. */
  readonly leaf: Uint8Array;
  readonly extra: Uint8Array | null;
}

export function loggedEntry({ index, time, identity, leaf: stored, extra }: EntryRow): LoggedEntry {
  const leaf = unpackLeaf(stored);
  return {
    index,
    time: Number(time),
    // One that is the leaf hash is not stored. Made here, and not when it is asked for: see test/architecture.test.ts.
    identity: identity ?? leafHash(leaf),
    leaf,
    extra: extra ?? new Uint8Array(),
  };
}
