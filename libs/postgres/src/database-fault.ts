import { Fault, Misconfigured, Unavailable } from "@chancery/fault";
import { DatabaseError } from "pg";

/** Seconds a client is told to wait: PostgreSQL is back from a crash after 0.5–2.4 s (measured). */
const RETRY_AFTER = 2;

const DOES_NOT_ANSWER = "the database does not answer";

/**
 * Trouble that passes, by SQLSTATE (PostgreSQL 18, Appendix A), against mistakes of ours, which must
 * stay loud. Class 08 connection, 53 resources (53100 disk full), 57P admin or crash shutdown and
 * starting up, 58 I/O, 40 serialization and deadlock, 25006 a standby, 25P03, 25P04, 55P03 and 57014 timeouts.
 */
const PASSING = /^(08|53|57P|58|40|25006|25P0[34]|55P03|57014)/;
/** Wrong password, no such role, no such database: no waiting will help. */
const SETTING = /^(28|3D000)/;

/** statement_timeout, or an operator's pg_cancel_backend. */
const CANCELLED = "57014";

/** What a failed call to PostgreSQL means to the rest of the program. */
export function databaseFault(error: unknown, tooLong = DOES_NOT_ANSWER): unknown {
  if (error instanceof Fault) return error;
  const state = sqlState(error);
  if (state !== undefined && SETTING.test(state)) {
    return new Misconfigured("CHANCERY_DATABASE_URL", "the database refuses these credentials or this name", {
      cause: error,
    });
  }
  if (state !== undefined && !PASSING.test(state)) return error;
  return new Unavailable(state === CANCELLED ? tooLong : DOES_NOT_ANSWER, RETRY_AFTER, { cause: error });
}

/** True when the server itself said no: the statement's outcome is known, the connection may be used again. */
export function isServerAnswer(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && !/^(08|57P0[123]|25P0[34])/.test(state);
}

/** What this role may not do, and another may. */
export function isPrivilegeMissing(error: unknown): error is Error {
  return sqlState(error) === "42501";
}

function sqlState(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}
