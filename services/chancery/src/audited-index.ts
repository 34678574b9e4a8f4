import { setTimeout as delay } from "node:timers/promises";
import type { AuditorConfig } from "@chancery/auditor";
import { PostgresSearchIndex } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { type DamagedStretches, type VouchedTree, verifyIndex } from "@chancery/rekor";

/** A page of 256 entries a question: a hundredth of a core. */
const EVERY_MS = 2_000;

interface Pace {
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each answer. */
  readonly alive?: (() => void) | undefined;
}

interface Audit extends Pace {
  /** The database is not believed that more entries than so many, from the first on, are of before there was this search. */
  readonly mostUnindexed?: bigint | undefined;
}

interface Audited {
  readonly damaged: DamagedStretches;
  readonly differences: readonly string[];
  /** So many, from the first on, are not judged, says the database. */
  readonly unindexed: bigint;
}

/** How the auditor holds the search indexes of this database. */
export function indexAuditOf(db: Database): NonNullable<AuditorConfig["verifyIndex"]> {
  return (log, tree, around) => auditIndex(db, log, tree, around);
}

/** What is other in a log's search index than the entries of `tree` say, read at a pace that nobody notices. */
export async function auditIndex(
  db: Database,
  log: string,
  tree: VouchedTree,
  { everyMs = EVERY_MS, signal, alive = () => {}, mostUnindexed }: Audit = {},
): Promise<Audited> {
  const index = await PostgresSearchIndex.open(unhurried(db, { everyMs, signal, alive }), log);
  if (index === undefined) return { damaged: { first: [], count: 0n }, differences: [], unindexed: 0n };
  // Those of before there was this search, which `chancery index rebuild` adds; by what they were found then they are held.
  const unindexed = await index.reader.unindexed();
  const judgedFrom = mostUnindexed !== undefined && mostUnindexed < unindexed ? mostUnindexed : unindexed;
  const { damaged, differences } = await verifyIndex(index, tree, () => {}, judgedFrom);
  return {
    damaged,
    differences: differences.map(({ index: place, what }) => (place === undefined ? what : `entry ${place}: ${what}`)),
    unindexed,
  };
}

/** Once the signal has come it answers no more: a page each two seconds would keep a log of 10,000 entries from ending for 80. */
function unhurried(db: Database, { everyMs, signal, alive }: Pace): Database {
  let turn: Promise<unknown> = Promise.resolve();
  const query: Database["query"] = async (sql, params) => {
    // A process that ends does not wait for it.
    turn = turn.then(() => delay(everyMs, undefined, { ref: false, ...(signal && { signal }) }));
    await turn;
    signal?.throwIfAborted();
    return db.query<never>(sql, params).finally(alive);
  };
  return Object.assign(Object.create(db) as Database, { query });
}
