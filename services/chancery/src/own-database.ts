import { Fault, Misconfigured, Unavailable } from "@chancery/fault";

/** SQLSTATE insufficient_privilege; undefined_object: a role that is to be given use of the tables and is not there. */
const THEIRS: ReadonlySet<unknown> = new Set(["42501", "42704"]);

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
  return error instanceof Error && "code" in error && THEIRS.has(error.code);
}

/** A name with several addresses fails with all their errors and no message of its own. */
function inOneLine(cause: Error): string {
  const errors: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const texts = errors.map((error) => (error instanceof Error ? error.message : String(error)));
  return texts.join(", ").replaceAll(/\s+/g, " ");
}

/** Host and name of a database, for people: the URL holds a password. */
export function describeDatabase(databaseUrl: string): string {
  const url = parseDatabaseUrl(databaseUrl);
  const host = url?.searchParams.get("host") ?? url?.host;
  return `PostgreSQL ${host || "local"}${url?.pathname ?? ""}`;
}

/**
 * PostgreSQL lets a parameter name the host, or the folder of its socket (`postgres://user:password@/name?host=/run/postgresql`).
 * That is no URL by the standard, where a user without a host cannot be; the parameter wins over the host put in here.
 */
export function parseDatabaseUrl(databaseUrl: string): URL | null {
  const url = URL.parse(databaseUrl.replace(/^(postgres(?:ql)?:\/\/[^/?#]*@)(?=[/?]|$)/, "$1localhost"));
  return url?.protocol === "postgres:" || url?.protocol === "postgresql:" ? url : null;
}
