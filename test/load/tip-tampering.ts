import type { Database } from "@chancery/postgres";

/** A change to what is newest of a log, and back. */
export interface TipTampering {
  readonly kind: string;
  readonly what: string;
  /** Those of one lane are made one after the other: their alarms would be taken for each other's. */
  readonly lane: "rekor" | "rekor-v2" | "ctlog" | "trust" | "fork";
  readonly troubles: readonly string[];
  readonly change: (round: number) => Promise<void>;
  readonly back: (round: number) => Promise<void>;
  /** What its alarm says of a round, where it stays open when what was done is undone: the last of its lane. */
  readonly says?: (round: number) => string;
}

export type Statement = readonly [sql: string, ...params: unknown[]];

/** What was stored before, to be stored again. */
export interface StaleCheckpoint {
  readonly size: bigint;
  readonly time: bigint;
  readonly root: Uint8Array;
  readonly note: Uint8Array;
}

export interface Tip {
  readonly owner: Database;
  /** One for each round, as JSON: of this CA, and not in this CT log. */
  readonly unlogged: readonly { readonly serial: Uint8Array; readonly row: string }[];
  readonly stale: readonly StaleCheckpoint[];
}

const CHANGED = ["changed-entry", "changed-tile"];
/** The row of a tile that has the hash of an entry. */
const LOWEST =
  "log = $1 AND level = 0 AND index = $2 / 256 AND start <= $2 % 256 AND start + length(hashes) / 32 > $2 % 256";
/** The newest row of a level. */
const NEWEST = (level: number) =>
  `log = $1 AND level = ${level} AND (index, start) = (SELECT t.index, t.start FROM log.tile t
     WHERE t.log = $1 AND t.level = ${level} ORDER BY t.index DESC, t.start DESC LIMIT 1)`;

/** As whoever owns the machine could, with no trigger in the way. */
async function run(owner: Database, statements: readonly Statement[]): Promise<void> {
  await owner.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    for (const [sql, ...params] of statements) {
      const changed = await tx.query(`${sql} RETURNING 1`, params);
      if (changed.length === 0) throw new Error(`changes nothing: ${sql}`);
    }
  });
}

type Told = Pick<TipTampering, "kind" | "what" | "lane" | "troubles">;
type Telling = (kind: string, what: string, troubles?: readonly string[]) => Told;

const inLane =
  (lane: TipTampering["lane"]): Telling =>
  (kind, what, troubles = CHANGED) => ({ kind, what, lane, troubles });
const [inV1, inV2, inCt] = [inLane("rekor"), inLane("rekor-v2"), inLane("ctlog")];

/** An involution, so that the same mends it. */
function flip(owner: Database, told: Told, [table, column, octet, where]: readonly [string, string, string, string]) {
  const sql = `UPDATE log.${table} SET ${column} = set_byte(${column}, ${octet}, get_byte(${column}, ${octet}) # 1)`;
  return (...params: unknown[]): TipTampering => {
    const again = () => run(owner, [[`${sql} WHERE ${where}`, ...params]]);
    return { ...told, change: again, back: again };
  };
}

/** Rows taken away, and put back as they were. */
function deleted(owner: Database, told: Told, [table, where]: readonly [string, string], ...params: unknown[]) {
  let rows: { row: string }[] = [];
  return {
    ...told,
    change: async () => {
      const sql = `SELECT to_jsonb(t)::text AS row FROM log.${table} t WHERE ${where}`;
      rows = await owner.query<{ row: string }>(sql, params);
      await run(owner, [[`DELETE FROM log.${table} WHERE ${where}`, ...params]]);
    },
    back: () =>
      run(
        owner,
        rows.map(({ row }): Statement => [insert(`log.${table}`), row]),
      ),
  };
}

const insert = (table: string) => `INSERT INTO ${table} SELECT * FROM jsonb_populate_record(NULL::${table}, $1::jsonb)`;

/** All that a row of a table can be at the tip. */
export async function tipTamperings(tip: Tip): Promise<TipTampering[]> {
  const { owner } = tip;
  const logs = await owner.query<{ name: string; id: number; size: bigint }>(
    "SELECT l.name, l.id, t.size FROM log.log l JOIN log.tree t ON t.log = l.id",
  );
  const of = (name: string) => {
    const log = logs.find((one) => one.name === name);
    if (log === undefined) throw new Error(`there is no log ${name}`);
    return { id: log.id, last: log.size - 1n };
  };
  const [v1, v2, ct] = [of("rekor"), of("rekor-v2"), of("ctlog")];
  const place = (BigInt(v2.id) << 40n) | v2.last;
  const indexed = ["changed-index"];
  const state = ["changed-state", "fork", "head-order"];
  const entry = "log = $1 AND index = $2";
  return [
    flip(owner, inV1("entry", "a bit of the newest entry"), ["entry", "leaf", "30", entry])(v1.id, v1.last),
    deleted(owner, inV1("deleted", "the newest entry deleted"), ["entry", entry], v1.id, v1.last),
    swapped(owner, inV1("swapped", "the two newest entries exchanged"), v1.id, v1.last),
    stale(tip, inV1("stale", "an older checkpoint, of five", ["rollback", "head-order"]), v1.id),
    flip(owner, inV1("node", "a bit of the newest node"), ["tile", "hashes", "0", NEWEST(1)])(v1.id),
    flip(owner, inV1("node", "a bit of the edge that the next entry builds upon", state), [
      "tree",
      "edge",
      "3",
      "log = $1",
    ])(v1.id),
    flip(owner, inV2("leaf-hash", "a bit of the newest leaf hash"), [
      "tile",
      "hashes",
      "($2 % 256 - start) * 32 + 5",
      LOWEST,
    ])(v2.id, v2.last),
    flip(owner, inV2("tile", "a bit of the newest tile"), [
      "tile",
      "hashes",
      "0",
      "log = $1 AND level = 0 AND index = $2 / 256 AND start = 0",
    ])(v2.id, v2.last),
    deleted(
      owner,
      inV2("partial", "the newest row of the partial tile deleted", ["changed-tile"]),
      ["tile", NEWEST(0)],
      v2.id,
    ),
    flip(owner, inV2("index", "a bit of the newest identity row", indexed), ["identity", "hash", "9", entry])(
      v2.id,
      v2.last,
    ),
    otherKey(owner, inV2("index", "a search key of the newest entry", indexed), place),
    deleted(
      owner,
      inV2("unindexed", "the newest entry's search keys deleted", indexed),
      ["search", "place = $1"],
      place,
    ),
    deleted(
      owner,
      inV2("unindexed", "the newest entry's identity row deleted", indexed),
      ["identity", entry],
      v2.id,
      v2.last,
    ),
    flip(owner, inCt("leaf-hash", "a bit of the newest CT entry's leaf hash row", indexed), [
      "leaf_hash",
      "hash",
      "3",
      entry,
    ])(ct.id, ct.last),
    flip(owner, inCt("node", "a bit of the stored root", state), ["tree", "root", "3", "log = $1"])(ct.id),
    certificate(
      tip,
      inCt("certificate", "the newest certificate is not in the CT log", ["unlogged-certificate"]),
      ct.last,
    ),
  ];
}

function swapped(owner: Database, told: Told, log: number, last: bigint): TipTampering {
  const move = "UPDATE log.entry SET index = $2 WHERE log = $1 AND index = $3";
  const again = () =>
    run(owner, [
      [move, log, -1n, last],
      [move, log, last, last - 1n],
      [move, log, last - 1n, -1n],
    ]);
  return { ...told, change: again, back: again };
}

function otherKey(owner: Database, told: Told, place: bigint): TipTampering {
  const octet = "set_byte(uuid_send(key1), 15, get_byte(uuid_send(key1), 15) # 1)";
  const again = () =>
    run(owner, [[`UPDATE log.search SET key1 = encode(${octet}, 'hex')::uuid WHERE place = $1`, place]]);
  return { ...told, change: again, back: again };
}

function stale({ owner, stale: olds }: Tip, told: Told, log: number): TipTampering {
  const publish = ({ size, time, root, note }: StaleCheckpoint): Statement => [
    "UPDATE log.published SET size = $2, time = $3, root = $4, note = $5 WHERE log = $1",
    log,
    size,
    time,
    root,
    note,
  ];
  let now: StaleCheckpoint | undefined;
  return {
    ...told,
    change: async (round) => {
      [now] = await owner.query<StaleCheckpoint>("SELECT size, time, root, note FROM log.published WHERE log = $1", [
        log,
      ]);
      const old = olds[round];
      if (old === undefined || old.size === now?.size) throw new Error("no older checkpoint");
      await run(owner, [publish(old)]);
    },
    back: () => run(owner, now === undefined ? [] : [publish(now)]),
  };
}

/**
 * Issued at that moment, as far as its row says: at the place of another's entry, at none, and at the next that the log will
 * have, which may be there and not be proven yet, and is waited for.
 */
function certificate({ owner, unlogged }: Tip, told: Told, last: bigint): TipTampering {
  const places = [undefined, null, last + 1n, last + 1n, last + 1n];
  const at = (round: number) => {
    const one = unlogged[round];
    if (one === undefined) throw new Error("no certificate of the twin");
    return one;
  };
  return {
    ...told,
    change: (round) => run(owner, [[insert("fulcio.certificate"), rowOfNow(at(round).row, places[round])]]),
    // Who takes the row of a forged certificate away again ends no alarm.
    back: (round) => run(owner, [["DELETE FROM fulcio.certificate WHERE serial = $1", at(round).serial]]),
    says: (round) => Buffer.from(at(round).serial).toString("hex"),
  };
}

function rowOfNow(row: string, place: bigint | null | undefined): string {
  const moved = place === undefined ? {} : { ct_index: place === null ? null : Number(place) };
  return JSON.stringify({ ...(JSON.parse(row) as object), time: Date.now(), ...moved });
}
