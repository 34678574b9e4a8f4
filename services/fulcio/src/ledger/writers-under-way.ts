import { setTimeout as delay } from "node:timers/promises";
import { Unavailable } from "@chancery/fault";
import type { Queryable } from "@chancery/postgres";

const LOOK_AGAIN_MS = 50;
/** Twice what PostgreSQL lets a statement take. */
const LONGEST_MS = 60_000;

/** Who writes takes this lock before it does, and keeps it until it has committed or not. Every role may see locks. */
const WRITERS = `SELECT DISTINCT virtualtransaction AS writer FROM pg_locks
  WHERE mode = 'RowExclusiveLock' AND relation IN ('fulcio.certificate'::regclass, 'fulcio.refusal'::regclass)
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/**
 * Resolves when all that are writing the ledger now have ended: however slow a commit is, what it commits is found by
 * whoever reads after.
 */
export async function writersEnded(db: Queryable): Promise<void> {
  const writers = async () => (await db.query<{ writer: string }>(WRITERS)).map(({ writer }) => writer);
  const awaited = new Set(await writers());
  const since = performance.now();
  while (awaited.size > 0) {
    if (performance.now() - since > LONGEST_MS) throw new Unavailable("a commit to the ledger does not end", 10);
    await delay(LOOK_AGAIN_MS);
    const now = await writers();
    for (const writer of awaited) if (!now.includes(writer)) awaited.delete(writer);
  }
}
