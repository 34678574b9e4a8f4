import type { Queryable } from "@chancery/postgres";
import type { StoredTree } from "./stored-log.ts";

/** Between the clocks of the log, its database and this machine. */
const APART_MS = 60_000n;

interface Seen {
  readonly tree: StoredTree;
  /** When the last checkpoint was signed. */
  readonly signed: bigint;
  /** Of the first entry. */
  readonly first: bigint | undefined;
  /** Whether the anchor says that it is frozen; undefined: there is none to be had. */
  readonly anchorFrozen: boolean | undefined;
}

/** What is no difference and yet not as most logs are, for who is to judge it. */
export async function readNotes(db: Queryable, { tree, signed, first, anchorFrozen }: Seen): Promise<string[]> {
  const notes: string[] = [];
  if (tree.frozen) {
    const later = anchorFrozen === false ? "; its anchor does not say so yet, which its next start completes" : "";
    notes.push(`frozen: it takes no more entries, for ever${later}`);
  }
  const newest = signed > tree.time ? signed : tree.time;
  const [clock] = await db.query<{ now: bigint }>(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now",
  );
  const now = BigInt(Date.now());
  // Of two clocks the one that is ahead: a log is not accused by one that is wrong.
  const latest = clock === undefined || clock.now < now ? now : clock.now;
  if (newest > latest + APART_MS) {
    notes.push(`its newest time, ${shown(newest)}, is not yet: it logs nothing until then, or its clock was wrong`);
  }
  const made = await timeOfTables(db);
  if (first !== undefined && made !== undefined && first < made - APART_MS) {
    notes.push(`its first entry has the time ${shown(first)}, and its tables were made at ${shown(made)}`);
  }
  for (const table of await unguardedTables(db)) {
    notes.push(
      `${table} is not append-only: its trigger is missing or switched off (of a partition: SELECT log.guard_partitions())`,
    );
  }
  return notes;
}

async function timeOfTables(db: Queryable): Promise<bigint | undefined> {
  const [table] = await db.query<{ readable: boolean | null }>(
    "SELECT has_table_privilege(to_regclass('chancery_schema'), 'SELECT') AS readable",
  );
  if (table?.readable !== true) return undefined;
  const [row] = await db.query<{ made: bigint | null }>(
    "SELECT (extract(epoch FROM min(applied)) * 1000)::bigint AS made FROM chancery_schema WHERE name = 'log'",
  );
  return row?.made ?? undefined;
}

/** Of the trigger's kinds DELETE is 8, UPDATE 16, TRUNCATE 32. */
async function unguardedTables(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT tree.relid::regclass::text AS name
     FROM unnest(ARRAY['entry', 'tile', 'identity', 'leaf_hash', 'search', 'search_key', 'name']) AS kept (name)
     CROSS JOIN LATERAL (SELECT to_regclass('log.' || kept.name) AS relid) AS whole
     CROSS JOIN LATERAL (SELECT whole.relid WHERE whole.relid IS NOT NULL
       UNION SELECT part.relid FROM pg_partition_tree(whole.relid) AS part) AS tree
     WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = tree.relid AND tgname = 'append_only'
       AND tgenabled IN ('O', 'A') AND tgtype & 56 = 56)
     ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

function shown(time: bigint): string {
  const date = new Date(Number(time));
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString();
}
