import { equalBytes } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { bytesArray, type Queryable } from "@chancery/postgres";
import { type EntryRow, loggedEntry } from "./postgres-reads.ts";

/** Leaves are small beside what is kept with them, which is not read here. */
const FETCHED = 64;

interface IdentityRow {
  readonly index: bigint;
  readonly hash: Uint8Array;
}

/**
 * Identities of what is cut that lead to an entry that stays, and is another: they go, too. Throws RefusedToSign where an
 * identity of an entry that stays leads to what is cut, and would go with it.
 */
export async function misledIdentities(db: Queryable, log: number, size: bigint): Promise<Uint8Array[]> {
  const cut = await identitiesFrom(db, log, size);
  const behind = await db.query<IdentityRow>("SELECT index, hash FROM log.identity WHERE log = $1 AND index >= $2", [
    log,
    size,
  ]);
  const strange = behind.filter(({ index, hash }) => !isIdentity(cut.get(index), hash)).map(({ hash }) => hash);
  if (strange.length > 0 && (await isOfSigned(db, log, size, strange))) {
    throw new RefusedToSign("the identity of a signed entry leads to what is to be cut: bring its row back first");
  }
  const within = await db.query<IdentityRow>(
    "SELECT index, hash FROM log.identity WHERE log = $1 AND index < $2 AND hash = ANY ($3::bytea[])",
    [log, size, bytesArray([...cut.values()])],
  );
  const misled: Uint8Array[] = [];
  for (const { index, hash } of within) {
    const [row] = await db.query<EntryRow>(ENTRY, [log, index]);
    if (row === undefined || !isIdentity(identityOf(row), hash)) misled.push(hash);
  }
  return misled;
}

const ENTRY = "SELECT index, time, identity, leaf FROM log.entry WHERE log = $1 AND index = $2";

/** Of a leaf that is damaged, of what identity it was is not known. */
async function identitiesFrom(db: Queryable, log: number, size: bigint): Promise<Map<bigint, Uint8Array>> {
  const identities = new Map<bigint, Uint8Array>();
  for (let from = size; ;) {
    const rows = await db.query<EntryRow>(
      `SELECT index, time, identity, leaf FROM log.entry WHERE log = $1 AND index >= $2 ORDER BY index LIMIT ${FETCHED}`,
      [log, from],
    );
    for (const row of rows) {
      const identity = identityOf(row);
      if (identity !== undefined) identities.set(row.index, identity);
      from = row.index + 1n;
    }
    if (rows.length < FETCHED) return identities;
  }
}

function identityOf(row: EntryRow): Uint8Array | undefined {
  try {
    return loggedEntry(row).identity;
  } catch {
    return undefined;
  }
}

function isIdentity(identity: Uint8Array | undefined, hash: Uint8Array): boolean {
  return identity !== undefined && equalBytes(identity, hash);
}

/** An identity is the leaf hash, or stands in its entry's row. Both tables are read whole: it is asked where rows contradict each other. */
async function isOfSigned(db: Queryable, log: number, size: bigint, hashes: readonly Uint8Array[]): Promise<boolean> {
  const rows = await db.query(
    `(SELECT FROM log.entry WHERE log = $1 AND index < $2 AND identity = ANY ($3::bytea[]) LIMIT 1)
     UNION ALL
     (SELECT FROM log.tile, unnest($3::bytea[]) AS asked (hash)
      WHERE log = $1 AND level = 0 AND index * 256 + start < $2 AND position(asked.hash IN hashes) > 0 LIMIT 1)`,
    [log, size, bytesArray(hashes)],
  );
  return rows.length > 0;
}
