import { Difference, type Found, NOTHING, tell } from "../domain/difference.ts";
import { HASH_BYTES } from "../domain/merkle.ts";
import { readAhead } from "../domain/read-ahead.ts";
import { PackedRows } from "./packed-rows.ts";
import type { StoredLog } from "./stored-log.ts";

/** 128 MB of hashes. A log of more entries reads the table once for each such window. */
export const WINDOW_ENTRIES = 2 ** 22;
/** 16 MB of a table in a statement, at most half a second. */
export const BLOCKS = 2048;
export const STATEMENTS = 2;

/** Of more it is not said which. */
const MOST_TOLD = 100;

const UNKNOWN = 2;
const TABLES = { identity: "log.identity", "leaf hash": "log.leaf_hash" } as const;

/**
 * The rows by which entries are found: one for each entry that wants one, under its hash, and no other. What is wanted
 * is gathered a window of entries at a time; then the table is read as it lies on the disk, because a look-up for each
 * entry would cost more than all the hashing.
 */
export class LookupCheck {
  readonly #log: StoredLog;
  readonly #kind: keyof typeof TABLES;
  readonly #hashes: Uint8Array;
  readonly #wanted: Uint8Array;
  readonly #found: Found;
  #first = 0n;
  #count = 0;
  #told = 0;

  constructor(log: StoredLog, kind: keyof typeof TABLES, size: bigint, found?: Found) {
    this.#found = found;
    const window = size < WINDOW_ENTRIES ? Number(size) : WINDOW_ENTRIES;
    this.#log = log;
    this.#kind = kind;
    this.#hashes = new Uint8Array(window * HASH_BYTES);
    this.#wanted = new Uint8Array(window);
  }

  get isFull(): boolean {
    return this.#count === this.#wanted.length;
  }

  /** Undefined where the entry has no row of its own. `isGone`: which rows it had is not known. */
  add(hash: Uint8Array | undefined, isGone = false): void {
    if (isGone) this.#wanted[this.#count] = UNKNOWN;
    else if (hash !== undefined) {
      this.#hashes.set(hash, this.#count * HASH_BYTES);
      this.#wanted[this.#count] = 1;
    }
    this.#count++;
  }

  /** Which rows these entries had is not known, as far as they are gathered and not yet compared. */
  forget(first: bigint, end: bigint): void {
    const [from, to] = [Number(first - this.#first), Number(end - this.#first)];
    if (to > 0 && from < this.#count) this.#wanted.fill(UNKNOWN, Math.max(0, from), Math.min(to, this.#count));
  }

  /** Throws the Difference of the lowest entry that has one, or tells the first ones, and goes on to the next window. */
  async finishWindow(progress: (done: number) => void): Promise<void> {
    const found = new Uint8Array(this.#count);
    const lowest: { first: Difference | undefined } = { first: undefined };
    for await (const rows of this.#read(progress)) {
      while (!rows.done) this.#note(lowest, this.#judge(rows.int8(), rows.bytes(rows.int4()), found));
    }
    await this.#findMissing(found, lowest);
    if (lowest.first !== undefined) throw lowest.first;
    this.#first += BigInt(this.#count);
    this.#count = 0;
    this.#wanted.fill(0);
  }

  #note(lowest: { first: Difference | undefined }, difference: Difference | undefined): void {
    if (this.#found === undefined) lowest.first = lower(lowest.first, difference);
    else if (difference !== undefined && ++this.#told <= MOST_TOLD) this.#found(difference);
  }

  async *#read(progress: (done: number) => void): AsyncGenerator<PackedRows> {
    const [first, end] = [this.#first, this.#first + BigInt(this.#count)];
    const table = TABLES[this.#kind];
    const { db, id } = this.#log;
    const blocks = await blocksOf(this.#log, table);
    let done = 0;
    const read = (at: number) =>
      db.query<{ rows: Uint8Array | null; lowest: bigint | null; highest: bigint | null; size: bigint }>(
        lookupRows(table),
        [id, `(${at * BLOCKS},0)`, `(${(at + 1) * BLOCKS},0)`, first, end],
      );
    for await (const [row] of readAhead(Math.ceil(blocks / BLOCKS), STATEMENTS, read)) {
      if (row?.lowest != null && row.lowest < 0n) tell(this.#found, [this.#stray(row.lowest, row.size)]);
      if (row?.highest != null && row.highest >= row.size) tell(this.#found, [this.#stray(row.highest, row.size)]);
      progress(Math.min(1, (++done * BLOCKS) / blocks));
      yield new PackedRows(row?.rows ?? null);
    }
  }

  #judge(index: bigint, hash: Uint8Array, found: Uint8Array): Difference | undefined {
    const at = Number(index - this.#first);
    const place = { kind: this.#kind, index } as const;
    const wanted = this.#hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
    if (this.#wanted[at] === UNKNOWN) return undefined;
    if (this.#wanted[at] !== 1) return new Difference(place, NOTHING, hash);
    if (Buffer.compare(hash, wanted) !== 0) return new Difference(place, wanted, hash);
    if (found[at] === 1) return new Difference(place, "one row", "two");
    found[at] = 1;
    return undefined;
  }

  async #findMissing(found: Uint8Array, lowest: { first: Difference | undefined }): Promise<void> {
    for (let at = 0; at < this.#count && this.#told < MOST_TOLD; at++) {
      const isSame = this.#wanted[at] === found[at] || this.#wanted[at] === UNKNOWN;
      const difference = isSame ? undefined : await this.#missing(at);
      this.#note(lowest, difference);
      // The first is thrown.
      if (this.#found === undefined && difference !== undefined) return;
    }
  }

  /** Of entries with the same leaf, only one is found by its hash. They are a CT log's, whose leaves lie there as they are. */
  async #missing(at: number): Promise<Difference | undefined> {
    const hash = this.#hashes.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES);
    const { db, id } = this.#log;
    const table = TABLES[this.#kind];
    const [other] = await db.query<{ index: bigint; twin: boolean }>(
      `SELECT index, sha256('\\x00'::bytea || leaf) = hash AS twin FROM ${table} JOIN log.entry USING (log, index)
       WHERE log = $1 AND hash = $2`,
      [id, hash],
    );
    if (this.#kind === "leaf hash" && other?.twin === true) return undefined;
    const found = other === undefined ? NOTHING : `that hash for entry ${other.index}`;
    return new Difference({ kind: this.#kind, index: this.#first + BigInt(at) }, hash, found);
  }

  #stray(index: bigint, size: bigint): Difference {
    return new Difference({ kind: this.#kind, index }, NOTHING, `a row for an entry outside the tree of ${size}`);
  }
}

function lower(a: Difference | undefined, b: Difference | undefined): Difference | undefined {
  return a === undefined || (b !== undefined && entryOf(b) < entryOf(a)) ? b : a;
}

function entryOf({ place }: Difference): bigint {
  return "index" in place ? place.index : 0n;
}

export async function blocksOf({ db }: StoredLog, table: string): Promise<number> {
  const [row] = await db.query<{ blocks: bigint }>(
    "SELECT pg_relation_size($1::regclass) / current_setting('block_size')::bigint AS blocks",
    [table],
  );
  return Number(row?.blocks ?? 0n);
}

/** By place on the disk. The tree is of the same snapshot as the rows, so that a log may grow meanwhile. */
const lookupRows = (table: string) => `SELECT
    string_agg(int8send(index) || int4send(length(hash)) || hash, ''::bytea)
      FILTER (WHERE index >= $4 AND index < $5) AS rows,
    min(index) AS lowest, max(index) AS highest, (SELECT size FROM log.tree WHERE log = $1) AS size
  FROM ${table} WHERE log = $1 AND ctid >= $2::tid AND ctid < $3::tid`;
