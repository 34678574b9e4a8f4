import { Misconfigured } from "@chancery/fault";
import type { Database } from "./database.ts";
import { isPrivilegeMissing } from "./database-fault.ts";
import type { Queryable } from "./queryable.ts";

/** One step of a schema. Numbered from 1 without gaps, forward only, never edited once released. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

/** Any constant: all schemas of a database queue behind one lock while a process starts. */
const LOCK = 0x6368616e63657279n;

/**
 * Brings the schema `name` to the newest step, in one transaction, so that a crash leaves the old schema.
 * Concurrent starters wait for each other; the last one finds nothing to do. A schema newer than the code is
 * refused: an old program on it could write what the new one no longer expects.
 */
export async function migrate(db: Database, name: string, migrations: readonly Migration[]): Promise<void> {
  // Looked at first, because that needs no right to change anything.
  if ((await standsAt(db, name)) === migrations.length) return;
  try {
    await bringUp(db, name, migrations);
  } catch (error) {
    if (!isPrivilegeMissing(error)) throw error;
    throw new Misconfigured(
      "CHANCERY_DATABASE_URL",
      `its schema ${name} is at step ${await standsAt(db, name)} of ${migrations.length} and this role may not change it; run \`chancery migrate\` as its owner (${error.message})`,
    );
  }
}

async function standsAt(db: Queryable, name: string): Promise<number> {
  const [table] = await db.query<{ present: boolean }>("SELECT to_regclass('chancery_schema') IS NOT NULL AS present");
  return table?.present === true ? await appliedNumber(db, name) : 0;
}

async function bringUp(db: Database, name: string, migrations: readonly Migration[]): Promise<void> {
  await db.unhurried(async (tx) => {
    await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
    await tx.query(`CREATE TABLE IF NOT EXISTS chancery_schema (
      name text NOT NULL, number integer NOT NULL, title text NOT NULL,
      applied timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (name, number))`);
    const applied = await appliedNumber(tx, name);
    if (applied > migrations.length) {
      throw new Misconfigured(
        "CHANCERY_DATABASE_URL",
        `schema ${name} is at step ${applied}, this program knows ${migrations.length}: start the newer program`,
      );
    }
    for (const step of migrations.slice(applied)) {
      await tx.query(step.sql);
      await tx.query("INSERT INTO chancery_schema (name, number, title) VALUES ($1, $2, $3)", [
        name,
        step.number,
        step.name,
      ]);
    }
  });
}

async function appliedNumber(tx: Queryable, name: string): Promise<number> {
  const [row] = await tx.query<{ number: number | null }>(
    "SELECT max(number) AS number FROM chancery_schema WHERE name = $1",
    [name],
  );
  return row?.number ?? 0;
}
