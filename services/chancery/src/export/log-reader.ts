import { Misconfigured } from "@chancery/fault";
import { type LogReader, PostgresLogStore } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import type { LogName } from "../installation.ts";

/** The logs' schema is only looked at where it is up to date, for which a role that may read is enough. */
export async function logReader(db: Database, name: LogName): Promise<LogReader> {
  const stored = await (await PostgresLogStore.open(db)).find(name);
  if (stored === undefined)
    throw new Misconfigured("--data", `its database has no log ${name}; chancery serve makes it`);
  return stored.reader;
}
