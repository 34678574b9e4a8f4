import { Fault, Misconfigured, Unavailable } from "@chancery/fault";

/** SQLSTATE insufficient_privilege. */
const NO_PRIVILEGE = "42501";

/**
 * Work at start on the operator's own PostgreSQL (`databaseUrl`). What this one says no to, or does not answer to, is
 * for them to set right, so it is told in PostgreSQL's words with host and name.
 */
export async function onOwnDatabase<T>(databaseUrl: string | undefined, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const cause = error instanceof Fault ? error.cause : error;
    if (databaseUrl === undefined || !(cause instanceof Error) || !isTheirs(error)) throw error;
    throw new Misconfigured("CHANCERY_DATABASE_URL", `${describeDatabase(databaseUrl)}: ${inOneLine(cause)}`, {
      cause,
    });
  }
}

function isTheirs(error: unknown): boolean {
  if (error instanceof Unavailable || error instanceof Misconfigured) return true;
  return error instanceof Error && "code" in error && error.code === NO_PRIVILEGE;
}

/** A name with several addresses fails with all their errors and no message of its own. */
function inOneLine(cause: Error): string {
  const errors: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const texts = errors.map((error) => (error instanceof Error ? error.message : String(error)));
  return texts.join(", ").replaceAll(/\s+/g, " ");
}

/** Host and name of a database, for people: the URL holds a password. */
export function describeDatabase(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  return `PostgreSQL ${url.host === "" ? (url.searchParams.get("host") ?? "local") : url.host}${url.pathname}`;
}
