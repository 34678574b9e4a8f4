import { sha256 } from "@chancery/crypto";
import { concatBytes, equalBytes } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { bigintArray, bytesArray, type Database, integerArray, migrate, type Queryable } from "@chancery/postgres";
import { EMPTY_ROOT, HASH_SIZE } from "@chancery/tlog";
import type { PublishedCheckpoint } from "./entry.ts";
import { type Failpoint, noFailpoint } from "./failpoint.ts";
import { PostgresLogReader } from "./postgres-log-reader.ts";
import { logSchema } from "./postgres-schema.ts";
import { nameColumns, searchColumns } from "./postgres-search-rows.ts";
import * as sql from "./postgres-statements.ts";
import { storedLeafOf } from "./stored-leaf.ts";
import type { Addition, Integrate, LogKey, LogStore, LogWriter, PlacedEntry, StoredLog, TreeState } from "./store.ts";

/** All logs of one PostgreSQL database. Any number of processes may write to it. */
export class PostgresLogStore implements LogStore {
  readonly #db: Database;
  readonly #failpoint: Failpoint;

  private constructor(db: Database, failpoint: Failpoint) {
    this.#db = db;
    this.#failpoint = failpoint;
  }

  /** Brings the schema up to date. The caller keeps and closes the database. */
  static async open(db: Database, failpoint: Failpoint = noFailpoint): Promise<PostgresLogStore> {
    await migrate(db, logSchema.name, logSchema.migrations);
    return new PostgresLogStore(db, failpoint);
  }

  async find(name: string): Promise<StoredLog | undefined> {
    const [row] = await this.#db.reserved.query<{ id: number }>(sql.FIND_LOG, [name]);
    return row && this.#stored(row.id);
  }

  async create(name: string, key: LogKey, time: number): Promise<StoredLog> {
    await this.#db.transaction(async (tx) => {
      const [row] = await tx.query<{ id: number }>(sql.CREATE_LOG, [name, key.origin, key.keyId]);
      if (row !== undefined) await tx.query(sql.CREATE_TREE, [row.id, time, EMPTY_ROOT]);
    });
    const log = await this.find(name);
    if (log === undefined) throw new Error(`log ${name} was created and is not there`);
    return log;
  }

  #stored(id: number): StoredLog {
    return {
      writer: new PostgresLogWriter(this.#db, id, this.#failpoint),
      reader: new PostgresLogReader(this.#db, id),
      unsigned: new PostgresLogReader(this.#db, id, this.#db.reserved),
    };
  }
}

class PostgresLogWriter implements LogWriter {
  readonly #db: Database;
  readonly #log: number;
  readonly #failpoint: Failpoint;
  readonly #reader: PostgresLogReader;

  constructor(db: Database, log: number, failpoint: Failpoint) {
    this.#db = db;
    this.#log = log;
    this.#failpoint = failpoint;
    this.#reader = new PostgresLogReader(db, log);
  }

  async tree(): Promise<TreeState> {
    return treeState(await this.#db.reserved.query<TreeRow>(sql.TREE, [this.#log]));
  }

  async commit(
    identities: readonly Uint8Array[],
    integrate: Integrate,
    more: () => readonly Uint8Array[] = () => [],
  ): Promise<void> {
    await this.#db
      .transaction(async (tx) => {
        // Sent together, run in order: the second sees what was committed before the lock was given.
        const [, rows] = await Promise.all([
          tx.query(sql.LOCK_TREE, [this.#log]),
          tx.query<TreeRow & KnownRow>(sql.TREE_AND_KNOWN, [this.#log, bytesArray(identities)]),
        ]);
        await this.#failpoint("locked");
        const known = knownIndexes(identities, rows);
        const late = more();
        if (late.length > 0) {
          known.push(...knownIndexes(late, await tx.query<KnownRow>(sql.KNOWN, [this.#log, bytesArray(late)])));
        }
        const before = treeState(rows);
        const addition = integrate(before, known);
        if (addition === undefined) return;
        const stored = this.#store(tx, before, addition);
        // COMMIT travels along, unless something is to happen before it.
        if (this.#failpoint === noFailpoint) tx.commitTogether();
        await stored;
        await this.#failpoint("stored");
      })
      .catch((error: unknown) => {
        throw refusal(error) ?? error;
      });
    await this.#failpoint("committed");
  }

  async publish(checkpoint: PublishedCheckpoint): Promise<PublishedCheckpoint> {
    const { head, time, note } = checkpoint;
    const params = [this.#log, head.size, head.root, time, note];
    if ((await this.#db.reserved.query(sql.PUBLISH, params)).length > 0) return checkpoint;
    // The lock that renewing takes is not for a process whose larger tree was overtaken.
    const renews = head.size === (await this.#published()).head.size;
    if (renews && (await this.#db.reserved.query(sql.RENEW, params)).length > 0) return checkpoint;
    return await this.#published();
  }

  async #published(): Promise<PublishedCheckpoint> {
    const standing = await this.#reader.published();
    if (standing === undefined) throw new Error("a checkpoint was refused for one that is not there");
    return standing;
  }

  async freeze(): Promise<void> {
    await this.#db.reserved.query(sql.FREEZE, [this.#log]);
  }

  /** Both statements travel together. The server compares what it stored, and so does this side before it signs. */
  async #store(tx: Queryable, before: TreeState, { entries, tiles, tree }: Addition): Promise<void> {
    const edge = concatBytes(...tree.edge);
    const leaves = entries.map(({ stored, leaf, leafHash: hash }) => stored ?? storedLeafOf(leaf, hash));
    const tileNames = [
      integerArray(tiles.map(({ level }) => level)),
      bigintArray(tiles.map(({ index }) => BigInt(index))),
      integerArray(tiles.map(({ offset }) => offset)),
    ];
    const given = {
      entries: sha256(concatBytes(...leaves.flatMap((leaf) => [int4(leaf.length), leaf]))),
      tiles: sha256(concatBytes(...tiles.map((tile) => tile.hashes))),
      tree: concatBytes(tree.root, edge),
    };
    const digests = [given.entries, given.tiles, given.tree];
    const [, [stored]] = await Promise.all([
      tx.query(sql.STORE, [
        this.#log,
        before.size,
        before.root,
        tree.size,
        tree.root,
        edge,
        tree.time,
        ...entryColumns(entries, leaves),
        ...leafHashColumns(before.size, entries),
        ...searchColumns(this.#log, before.size, entries),
        ...nameColumns(entries),
        ...tileNames,
        bytesArray(tiles.map((tile) => tile.hashes)),
      ]),
      tx.query<StoredRow>(sql.READ_BACK, [this.#log, before.size, ...tileNames, ...digests, tree.size]),
    ]);
    expectStored("entries", stored?.entries, given.entries);
    expectStored("tiles", stored?.tiles, given.tiles);
    expectStored("tree", stored?.tree, given.tree);
  }
}

function int4(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** leaf, identity where it is not the leaf hash, extra; and every identity once more for its own table. */
function entryColumns(entries: readonly PlacedEntry[], leaves: readonly Uint8Array[]): Uint8Array[] {
  return [
    bytesArray(leaves),
    bytesArray(entries.map((entry) => (equalBytes(entry.identity, entry.leafHash) ? NOTHING : entry.identity))),
    bytesArray(entries.map((entry) => entry.extra)),
    bytesArray(entries.map((entry) => entry.identity)),
  ];
}

/** Index and hash of the entries whose identity is not their leaf hash. */
function leafHashColumns(first: bigint, entries: readonly PlacedEntry[]): Uint8Array[] {
  const apart = entries.flatMap(({ identity, leafHash: hash }, at) =>
    equalBytes(identity, hash) ? [] : [{ index: first + BigInt(at), bytes: hash }],
  );
  return [bigintArray(apart.map(({ index }) => index)), bytesArray(apart.map(({ bytes }) => bytes))];
}

const NOTHING = new Uint8Array();

/** Of what the server said to a batch, what no other batch can mend. */
function refusal(error: unknown): RefusedToSign | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  if (error.code === sql.STORED_OTHER) return new RefusedToSign(error.message, { cause: error });
  if (error.code !== sql.THERE_ALREADY) return undefined;
  return new RefusedToSign("its database has rows where its next entries belong (chancery fsck names them)", {
    cause: error,
  });
}

/** What was read back is not what was written: memory or disk is failing, and no more is signed on this machine. */
function expectStored(what: string, stored: Uint8Array | undefined, written: Uint8Array): void {
  if (stored !== undefined && equalBytes(stored, written)) return;
  throw new RefusedToSign(`the database stored other ${what} than it was given`);
}

interface TreeRow {
  readonly origin: string;
  readonly key_id: Uint8Array;
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly edge: Uint8Array;
  readonly time: bigint;
  readonly frozen: boolean;
  readonly published_size: bigint | null;
  readonly published_root: Uint8Array | null;
  readonly published_time: bigint | null;
  readonly volatile: string;
}

interface KnownRow {
  readonly ordinals: readonly bigint[] | null;
  readonly indexes: readonly bigint[] | null;
}

function knownIndexes(identities: readonly Uint8Array[], [row]: readonly KnownRow[]): (bigint | undefined)[] {
  const known = Array.from<bigint | undefined>({ length: identities.length });
  for (const [at, ordinal] of row?.ordinals?.entries() ?? []) known[Number(ordinal) - 1] = row?.indexes?.[at];
  return known;
}

interface StoredRow {
  readonly entries: Uint8Array;
  readonly tiles: Uint8Array;
  readonly tree: Uint8Array;
}

function treeState([row]: readonly TreeRow[]): TreeState {
  if (row === undefined) throw new RefusedToSign("the log's row is gone from the database");
  const { origin, key_id: keyId, size, root, frozen } = row;
  const edge = Array.from({ length: row.edge.length / HASH_SIZE }, (_, at) =>
    row.edge.slice(at * HASH_SIZE, (at + 1) * HASH_SIZE),
  );
  return {
    origin,
    keyId,
    size,
    root,
    edge,
    frozen,
    time: Number(row.time),
    published: publishedHead(row),
    volatile: row.volatile === "" ? undefined : `PostgreSQL runs with ${row.volatile}`,
  };
}

function publishedHead({ published_size: size, published_root: root, published_time: time }: TreeRow) {
  return size === null || root === null || time === null ? undefined : { size, root, time: Number(time) };
}
