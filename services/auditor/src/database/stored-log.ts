import { NotFound } from "@chancery/fault";
import type { Queryable } from "@chancery/postgres";
import { Difference, type Found, NOTHING, tell } from "../domain/difference.ts";
import { HASH_BYTES, TILE_HASHES } from "../domain/merkle.ts";
import type { TileSource } from "../domain/tree-check.ts";
import type { LogKind } from "../public/served-log.ts";
import { leafOfRow } from "./leaf-of-row.ts";
import { PackedRows } from "./packed-rows.ts";

/** A multiple of a tile. At 1.35 kB an entry, 0.7 MB a page; 64 MB as text if each were the largest that can be logged. */
export const PAGE_ENTRIES = 2 * TILE_HASHES;

export interface StoredEntry {
  readonly index: bigint;
  readonly time: bigint;
  /** Undefined where it is the leaf hash. */
  readonly identity: Uint8Array | undefined;
  readonly leaf: Uint8Array;
  /** SHA-256 of the precertificate beside it, where that was asked for and there is one. */
  readonly precertificate?: Uint8Array | undefined;
}

export interface StoredTree {
  readonly id: number;
  readonly origin: string;
  readonly key_id: Uint8Array;
  readonly size: bigint;
  readonly time: bigint;
  readonly frozen: boolean;
  readonly root: Uint8Array;
  readonly edge: Uint8Array;
}

export interface StoredCheckpoint {
  readonly size: bigint;
  readonly time: bigint;
  readonly root: Uint8Array;
  readonly note: Uint8Array;
}

/**
 * A log's rows, read with statements of its own. Each is short and takes a snapshot of its own: a long one would keep
 * PostgreSQL from clearing the tree's old row versions under a busy log. What is below a size that was read once never
 * changes; what is said about rows beyond the tree compares with the tree of the same snapshot.
 */
export class StoredLog implements TileSource {
  readonly db: Queryable;
  readonly id: number;
  readonly #holds: LogKind | undefined;
  #lowestTiles = new Map<bigint, StoredTile>();

  constructor(db: Queryable, id: number, holds?: LogKind) {
    this.db = db;
    this.id = id;
    this.#holds = holds;
  }

  /** One more page, and the lowest tiles above it. */
  async page(page: number, size: bigint): Promise<{ entries: StoredEntry[]; tiles: Map<bigint, StoredTile> }> {
    const first = BigInt(page * PAGE_ENTRIES);
    const end = first + BigInt(PAGE_ENTRIES);
    const tile = first / BigInt(TILE_HASHES);
    const withPrecertificate = this.#holds === "ctlog";
    const sql = withPrecertificate ? PRECERTIFICATE_PAGE : ENTRY_PAGE;
    const [runs, tiles] = await Promise.all([
      this.db.query<{ rows: Uint8Array | null }>(sql, [this.id, first, end < size ? end : size]),
      this.#readTiles(0, tile, tile + BigInt(PAGE_ENTRIES / TILE_HASHES)),
    ]);
    return { entries: runs.flatMap(({ rows }) => unpackEntries(rows, { withPrecertificate })), tiles };
  }

  /** Those of [first, end). */
  async entries(first: bigint, end: bigint): Promise<StoredEntry[]> {
    const runs = await this.db.query<{ rows: Uint8Array | null }>(ENTRY_PAGE, [this.id, first, end]);
    return runs.flatMap(({ rows }) => unpackEntries(rows));
  }

  /** The tiles that came with a page answer `tile` until the next page takes their place. */
  keepTiles(tiles: Map<bigint, StoredTile>): void {
    this.#lowestTiles = tiles;
  }

  async tile(level: number, index: bigint, width: number): Promise<Uint8Array | undefined> {
    const kept = level === 0 ? this.#lowestTiles.get(index) : undefined;
    const stored = kept ?? (await this.#readTiles(level, index, index + 1n)).get(index);
    return stored?.upTo(width);
  }

  async #readTiles(level: number, first: bigint, end: bigint): Promise<Map<bigint, StoredTile>> {
    const [row] = await this.db.query<{ rows: Uint8Array | null }>(TILES, [this.id, level, first, end]);
    const packed = new PackedRows(row?.rows ?? null);
    const tiles = new Map<bigint, StoredTile>();
    while (!packed.done) {
      const [index, start, hashes] = [packed.int8(), packed.int4(), packed.bytes(packed.int4())];
      const tile = tiles.get(index) ?? new StoredTile(level, index);
      tile.rows.push({ start, hashes });
      tiles.set(index, tile);
    }
    return tiles;
  }
}

/** A tile as its rows, in order of their start. */
export class StoredTile {
  readonly level: number;
  readonly index: bigint;
  readonly rows: { readonly start: number; readonly hashes: Uint8Array }[] = [];

  constructor(level: number, index: bigint) {
    this.level = level;
    this.index = index;
  }

  /**
   * Its first hashes. No row lies across the edge of any tree there was, and each begins where the one before ends.
   * Rows that begin at `width` or later are of a younger tree.
   */
  upTo(width: number): Uint8Array {
    const hashes = new Uint8Array(width * HASH_BYTES);
    let have = 0;
    for (const row of this.rows.filter(({ start }) => start < width)) {
      const added = row.hashes.length / HASH_BYTES;
      const place = { kind: "tile", level: this.level, index: this.index, offset: row.start } as const;
      if (row.start > have) break;
      if (row.start < have) throw new Difference(place, `no row that begins here`, row.hashes);
      if (added === 0 || !Number.isInteger(added) || have + added > width) {
        throw new Difference(place, `a row of 1 to ${width - have} hashes`, `${row.hashes.length} bytes`);
      }
      hashes.set(row.hashes, have * HASH_BYTES);
      have += added;
    }
    return hashes.subarray(0, have * HASH_BYTES);
  }
}

export async function findStoredTree(db: Queryable, name: string): Promise<StoredTree> {
  const [row] = await db.query<StoredTree>(TREE, [name]);
  if (row === undefined) throw new NotFound(`log: the database holds no log named ${name}`);
  return row;
}

export async function findStoredCheckpoint(db: Queryable, name: string): Promise<StoredCheckpoint | undefined> {
  const [row] = await db.query<StoredCheckpoint>(PUBLISHED, [name]);
  return row;
}

/** Throws for the first entry or tile row that lies outside the tree, or tells the first ones. */
export async function refuseStrays({ db, id }: StoredLog, found?: Found): Promise<void> {
  const entries = await db.query<{ index: bigint; size: bigint }>(STRAY_ENTRY, [id]);
  tell(
    found,
    entries.map(
      ({ index, size }) =>
        new Difference({ kind: "entry", index, field: "leaf" }, NOTHING, `an entry outside the tree of ${size}`),
    ),
  );
  const tiles = await db.query<{ level: number; index: bigint; start: number; hashes: Uint8Array }>(STRAY_TILE, [id]);
  tell(
    found,
    tiles.map(({ level, index, start, hashes }) => {
      const first = hashes.slice(0, HASH_BYTES);
      return new Difference({ kind: "tile", level, index, offset: start }, NOTHING, first);
    }),
  );
}

function unpackEntries(rows: Uint8Array | null, { withPrecertificate = false } = {}): StoredEntry[] {
  const packed = new PackedRows(rows);
  const entries: StoredEntry[] = [];
  while (!packed.done) {
    const [index, time, identityLength] = [packed.int8(), packed.int8(), packed.int4()];
    const identity = identityLength < 0 ? undefined : packed.bytes(identityLength);
    const leaf = leafOfRow(packed.bytes(packed.int4()));
    const length = withPrecertificate ? packed.int4() : 0;
    entries.push({ index, time, identity, leaf, precertificate: length === 0 ? undefined : packed.bytes(length) });
  }
  return entries;
}

const TREE = `SELECT l.id, l.origin, l.key_id, t.size, t.time, t.frozen, t.root, t.edge
  FROM log.log l JOIN log.tree t ON t.log = l.id WHERE l.name = $1`;

const PUBLISHED = `SELECT p.size, p.time, p.root, p.note
  FROM log.log l JOIN log.published p ON p.log = l.id WHERE l.name = $1`;

/** Packed by 16: what the server puts together and spells out stays in its caches, half the time of a page in one. */
const entryPage = (beside: string, from = "log.entry") => `SELECT packed.rows
  FROM generate_series($2::bigint, $3::bigint - 1, 16) AS run (first)
  CROSS JOIN LATERAL (SELECT string_agg(
      int8send(index) || int8send(time) || int4send(coalesce(length(identity), -1)) || coalesce(identity, '')
        || int4send(length(leaf)) || leaf ${beside}, ''::bytea ORDER BY index) AS rows
    FROM ${from} WHERE log = $1 AND index >= run.first AND index < run.first + 16 AND index < $3) AS packed
  ORDER BY run.first`;
const ENTRY_PAGE = entryPage("");

/**
 * RFC 6962, Section 4.6: `opaque ASN.1Cert<1..2^24-1>` comes first of what is beside a precertificate's leaf, whose entry
 * type stands in its bytes 10 and 11. Hashed where it lies: on its way here it would cost more than all the rest.
 */
const PRECERTIFICATE_PAGE = entryPage(
  "|| int4send(coalesce(length(hash), 0)) || coalesce(hash, '')",
  `log.entry LEFT JOIN LATERAL (
      SELECT sha256(substr(whole, 4, get_byte(whole, 0) * 65536 + get_byte(whole, 1) * 256 + get_byte(whole, 2))) AS hash
      FROM (SELECT extra || ''::bytea AS whole OFFSET 0) AS beside
      WHERE length(whole) > 3 AND substr(leaf, 11, 2) = '\\x0001') AS precertificate ON true`,
);

const TILES = `SELECT string_agg(int8send(index) || int4send(start) || int4send(length(hashes)) || hashes, ''::bytea
    ORDER BY index, start) AS rows
  FROM log.tile WHERE log = $1 AND level = $2 AND index >= $3 AND index < $4`;

const STRAY_ENTRY = `SELECT e.index, t.size FROM log.tree t
  CROSS JOIN LATERAL (
    (SELECT index FROM log.entry WHERE log = t.log AND index < 0 ORDER BY index LIMIT 20)
    UNION ALL (SELECT index FROM log.entry WHERE log = t.log AND index >= t.size ORDER BY index LIMIT 20)) e
  WHERE t.log = $1`;

/** Of each level the first row beyond its last hash; a tree of 2^63 has tiles on levels 0 to 7. */
const STRAY_TILE = `SELECT s.level, s.index, s.start, s.hashes FROM log.tree t
  CROSS JOIN LATERAL (
    SELECT f.* FROM generate_series(0, 7) AS l (level) CROSS JOIN LATERAL (
      (SELECT * FROM log.tile WHERE log = t.log AND level = l.level AND index < 0 LIMIT 1)
      UNION ALL (SELECT * FROM log.tile WHERE log = t.log AND level = l.level
        AND (index, start) >= ((t.size >> (8 * l.level)) >> 8, (t.size >> (8 * l.level)) & 255)
        ORDER BY index, start LIMIT 20)) f
    UNION ALL (SELECT * FROM log.tile WHERE log = t.log AND level < 0 LIMIT 1)
    UNION ALL (SELECT * FROM log.tile WHERE log = t.log AND level > 7 LIMIT 1)) s
  WHERE t.log = $1 ORDER BY s.level, s.index, s.start`;
