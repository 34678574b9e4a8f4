import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Prepared, Queryable } from "@chancery/postgres";
import { unlessStopped } from "../domain/unless-stopped.ts";

/** Does `work` again and again, so long after its end, until the signal. What it throws goes to `failed`, and it goes on. */
export async function again(
  everyMs: number,
  signal: AbortSignal,
  work: () => Promise<void>,
  failed: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
    }
    await delay(everyMs, undefined, { signal }).catch(() => {});
  }
}

/**
 * A database that answers nothing more once the signal has come: who waits for it ends at once, also where the database itself
 * hangs. So no loop, however long it is, has to look at the signal between two of its questions.
 */
export function stoppable(db: Queryable, signal: AbortSignal): Queryable {
  return { query: (sql, params) => unlessStopped(signal, () => db.query(sql, params)) };
}

/** Statements that are asked again and again, parsed and planned once a connection: at rest that is most of what they cost. */
export function prepared(db: Queryable): Queryable {
  const statements = new Map<string, Prepared>();
  const named = (text: string): Prepared => {
    const statement = statements.get(text) ?? {
      name: `audit-${createHash("sha256").update(text).digest("hex")}`.slice(0, 40),
      text,
    };
    statements.set(text, statement);
    return statement;
  };
  return { query: (sql, params) => db.query(typeof sql === "string" ? named(sql) : sql, params) };
}

/**
 * A database that is asked no more often than this, for reading all of it beside a service that needs it. A page of a log
 * is two questions and 512 entries; at one in 100 ms that is 10^6 entries in some seven minutes.
 */
export function paced(db: Queryable, everyMs: number, signal: AbortSignal): Queryable {
  let turn: Promise<unknown> = Promise.resolve();
  return {
    query: async (sql, params) => {
      turn = turn.then(() => delay(everyMs, undefined, { signal }));
      await turn;
      return db.query(sql, params);
    },
  };
}
