import { encodeHex, equalBytes } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import type { Database, Queryable, Transaction } from "@chancery/postgres";
import { noSuchLog } from "./no-such-log.ts";
import { misledIdentities } from "./postgres-cut-identities.ts";
import { placeOf } from "./postgres-search.ts";
import * as sql from "./postgres-statements.ts";

/** Each with what of it is behind a size ($2) of a log ($1, its id; $3, $4: its places from there on). */
const BEHIND = {
  "log.entry": "log = $1 AND index >= $2",
  "log.identity": "log = $1 AND index >= $2",
  "log.leaf_hash": "log = $1 AND index >= $2",
  "log.search": "place >= $3 AND place < $4",
  "log.tile": "log = $1 AND index * 256 + start >= $2::bigint >> (8 * level)",
} as const;

export type CutTable = keyof typeof BEHIND;
const TABLES = Object.keys(BEHIND) as CutTable[];

/** Rows taken at a time: an entry may have 10 MiB beside it, and twice that as text. */
const FETCHED = 1;

export interface CutTree {
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly edge: Uint8Array;
  readonly time: number;
}

/** What one log has stored behind a size. */
export class PostgresCut {
  readonly #db: Database;
  readonly #log: number;
  readonly #size: bigint;
  #misled: readonly Uint8Array[] = [];

  private constructor(db: Database, log: number, size: bigint) {
    this.#db = db;
    this.#log = log;
    this.#size = size;
  }

  static async open(db: Database, name: string, size: bigint): Promise<PostgresCut> {
    const [row] = await db.query<{ id: number }>(sql.FIND_LOG, [name]);
    if (row === undefined) throw noSuchLog(name);
    return new PostgresCut(db, row.id, size);
  }

  async count(): Promise<Map<CutTable, number>> {
    return await this.#db.unhurried(async (tx) => {
      this.#misled = await misledIdentities(tx, this.#log, this.#size);
      return await this.#count(tx, this.#size);
    });
  }

  async hasRowsBeyond(size: bigint): Promise<boolean> {
    const rows = await this.#db.unhurried((tx) => this.#count(tx, size));
    return rows.values().some((count) => count > 0);
  }

  /**
   * All of it or nothing. Nobody else reads or writes the log meanwhile; `seal` is the last that happens before it is
   * committed.
   */
  async run(
    before: { readonly size: bigint; readonly root: Uint8Array },
    after: CutTree,
    keep: (line: string | undefined) => Promise<void>,
    seal: () => Promise<void>,
  ): Promise<Map<CutTable, number>> {
    return await this.#db.unhurried(async (tx) => {
      await tx.query(
        "SELECT set_config('lock_timeout', '5s', true), set_config('idle_in_transaction_session_timeout', '60s', true)",
      );
      // The owner has taken it from himself, and before PostgreSQL 17 cannot lock without it either.
      await tx.query(`GRANT DELETE ON ${TABLES.join(", ")} TO CURRENT_USER`);
      await tx.query(`LOCK TABLE log.tree, log.published, ${TABLES.join(", ")} IN ACCESS EXCLUSIVE MODE`);
      const [tree] = await tx.query<{ size: bigint; root: Uint8Array }>(
        "SELECT size, root FROM log.tree WHERE log = $1",
        [this.#log],
      );
      if (tree?.size !== before.size || !equalBytes(tree.root, before.root)) {
        throw new RefusedToSign("the log grew meanwhile, so a process is running on it; stop it first");
      }
      await this.#expectApart(tx);
      this.#misled = await misledIdentities(tx, this.#log, this.#size);
      const rows = await this.#count(tx, this.#size);
      for (const [table, count] of rows) await this.#keep(tx, table, count, keep);
      await keep(undefined);
      for (const [table, count] of rows) await this.#delete(tx, table, count);
      await tx.query(`REVOKE DELETE ON ${TABLES.join(", ")} FROM CURRENT_USER`);
      await this.#setTree(tx, after);
      await seal();
      return rows;
    });
  }

  async #count(db: Queryable, size: bigint): Promise<Map<CutTable, number>> {
    // No index leads from an index to an identity.
    await db.query("SELECT set_config('enable_seqscan', 'on', true)");
    const counts = new Map<CutTable, number>();
    for (const table of TABLES) {
      const [row] = await db.query<{ count: bigint }>(
        `SELECT count(*) AS count FROM ${table} WHERE ${this.#behind(table, size)}`,
      );
      counts.set(table, Number(row?.count ?? 0));
    }
    return counts;
  }

  /** What is cut and what stays share no row. */
  async #expectApart(db: Queryable): Promise<void> {
    const [shared] = await db.query(
      `SELECT FROM log.tile WHERE log = $1 AND index * 256 + start < $2::bigint >> (8 * level)
         AND index * 256 + start + length(hashes) / 32 > $2::bigint >> (8 * level) LIMIT 1`,
      [this.#log, this.#size],
    );
    if (shared !== undefined)
      throw new RefusedToSign("a tile's row holds hashes of the signed tree and of what follows it");
  }

  async #keep(tx: Transaction, table: CutTable, count: number, keep: (line: string) => Promise<void>): Promise<void> {
    await tx.query(
      `DECLARE kept NO SCROLL CURSOR FOR SELECT to_jsonb(t)::text AS row FROM ${table} t WHERE ${this.#behind(table, this.#size)}`,
    );
    let kept = 0;
    for (;;) {
      const rows = await tx.query<{ row: string }>(`FETCH ${FETCHED} FROM kept`);
      for (const { row } of rows) await keep(`{"table":"${table}","row":${row}}\n`);
      kept += rows.length;
      if (rows.length === 0) break;
    }
    await tx.query("CLOSE kept");
    if (kept !== count) throw new Error(`of ${count} rows of ${table} ${kept} were read`);
  }

  async #delete(tx: Transaction, table: CutTable, count: number): Promise<void> {
    await tx.query(`ALTER TABLE ${table} DISABLE TRIGGER append_only`);
    const [row] = await tx.query<{ count: bigint }>(
      `WITH gone AS (DELETE FROM ${table} WHERE ${this.#behind(table, this.#size)} RETURNING 1) SELECT count(*) AS count FROM gone`,
    );
    await tx.query(`ALTER TABLE ${table} ENABLE TRIGGER append_only`);
    if (Number(row?.count) !== count) throw new Error(`of ${count} rows of ${table} ${row?.count} were cut`);
  }

  async #setTree(tx: Transaction, { size, root, edge, time }: CutTree): Promise<void> {
    await tx.query("ALTER TABLE log.tree DISABLE TRIGGER grow_only");
    await tx.query("UPDATE log.tree SET size = $2, root = $3, edge = $4, time = $5 WHERE log = $1", [
      this.#log,
      size,
      root,
      edge,
      time,
    ]);
    await tx.query("ALTER TABLE log.tree ENABLE TRIGGER grow_only");
  }

  /** With its numbers in place: a cursor takes no parameters. */
  #behind(table: CutTable, size: bigint): string {
    const numbers = [BigInt(this.#log), size, placeOf(this.#log, size), placeOf(this.#log + 1, 0n)];
    const behind = BEHIND[table].replaceAll(/\$(\d)/g, (_, at) => String(numbers[Number(at) - 1]));
    if (table !== "log.identity" || this.#misled.length === 0) return behind;
    const hashes = this.#misled.map((hash) => `'\\x${encodeHex(hash)}'::bytea`);
    return `(${behind} OR log = ${this.#log} AND hash IN (${hashes.join(", ")}))`;
  }
}
