import { Misconfigured, Unavailable } from "@chancery/fault";
import { Pool, type PoolClient, type PoolConfig } from "pg";
import { columnTypes } from "./column-types.ts";
import { databaseFault, isServerAnswer } from "./database-fault.ts";
import { OutcomeUnknown, type Prepared, type Queryable, type Transaction } from "./queryable.ts";

export interface ConnectionLimits {
  /** How many there are at once; each is opened when it is needed. */
  readonly max: number;
  /** What the server ends a statement after; 0: never. */
  readonly statementMs: number;
  /** How many may wait for one; any number if not given. */
  readonly waiting?: number;
  /** What is told of a statement that the server ended for its time. */
  readonly tooLong?: string;
  /** Whether the server refuses what would change anything. */
  readonly readOnly?: boolean;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** How much longer an answer is waited for than the server works on it. */
const ANSWER_ON_ITS_WAY_MS = 2_000;

/**
 * What each connection begins with. statement_timeout: what takes longer is stuck. idle_in_transaction: a process
 * that stopped in a transaction gives its locks back to the others. plan_cache_mode: a plan is made once; left to
 * itself PostgreSQL takes short arrays for cheap and plans each such statement anew each time. The others: every query
 * here goes through an index to a few rows, and a plan that is made once and knows none of its parameters must neither
 * scan a table nor start workers (which cost 12 ms a batch as soon as a log had 200,000 entries). The last ones are
 * PostgreSQL's own defaults, which statements and parsers here rely on and the operator may have set otherwise, most
 * often for another program: bytes in hex, literals as they are written, READ COMMITTED, writable, patient with locks.
 */
const session = ({
  statementMs,
  readOnly = false,
}: ConnectionLimits) => `SELECT set_config('statement_timeout', '${statementMs}', false),
  set_config('idle_in_transaction_session_timeout', '5s', false),
  set_config('plan_cache_mode', 'force_generic_plan', false),
  set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),
  set_config('max_parallel_workers_per_gather', '0', false), set_config('jit', 'off', false),
  set_config('bytea_output', 'hex', false), set_config('standard_conforming_strings', 'on', false),
  set_config('default_transaction_isolation', 'read committed', false),
  set_config('default_transaction_read_only', '${readOnly ? "on" : "off"}', false), set_config('lock_timeout', '0', false)`;

/** Connections to one database under the same limits. Who finds all of them in use waits in the order of asking. */
export class Connections implements Queryable, AsyncDisposable {
  readonly #pool: Pool;
  readonly #waiting: number;
  readonly #tooLong: string | undefined;
  #closed: Promise<void> | undefined;

  constructor(url: string, limits: ConnectionLimits) {
    const { max, statementMs, waiting = Infinity, tooLong } = limits;
    this.#waiting = waiting;
    this.#tooLong = tooLong;
    this.#pool = new Pool({
      ...connectionOptions(url),
      max,
      types: columnTypes,
      pipeline: true,
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      ...(statementMs === 0 ? {} : { query_timeout: statementMs + ANSWER_ON_ITS_WAY_MS }),
      application_name: "chancery",
      // oxlint-disable-next-line typescript/no-misused-promises -- the pool awaits it, though its declaration says void
      onConnect: async (client) => {
        await client.query(session(limits));
      },
    });
    // An idle connection that breaks is dropped by the pool; without a listener it would end the process.
    this.#pool.on("error", () => {});
  }

  async query<Row>(sql: string | Prepared, params: readonly unknown[] = []): Promise<Row[]> {
    const client = await this.#connect();
    let broken = false;
    try {
      return await run<Row>(client, sql, params);
    } catch (error) {
      broken = !isServerAnswer(error);
      throw databaseFault(error, this.#tooLong);
    } finally {
      client.release(broken);
    }
  }

  /**
   * One transaction, READ COMMITTED: what follows a lock sees what was committed before the lock was
   * given. A failure before COMMIT leaves nothing behind; one at COMMIT is OutcomeUnknown.
   */
  async transaction<T>(work: (tx: Transaction) => Promise<T>, begin = "BEGIN"): Promise<T> {
    const client = await this.#connect();
    let broken = false;
    let committed: Promise<void> | undefined;
    const tx: Transaction = {
      query: async <Row>(sql: string | Prepared, params: readonly unknown[] = []) => {
        if (committed !== undefined) throw new Error("a statement after COMMIT would stand outside its transaction");
        writeTogether(client);
        try {
          return await run<Row>(client, sql, params);
        } catch (error) {
          broken ||= !isServerAnswer(error);
          throw databaseFault(error);
        }
      },
      commitTogether: () => {
        committed = commit(client);
        // What it tells is looked at below, after the statements' own errors.
        committed.catch(() => {});
      },
    };
    try {
      // Not awaited: BEGIN travels with the first statement and saves a round trip.
      const begun = tx.query(begin);
      const [result] = await Promise.all([work(tx), begun]);
      await (committed ?? commit(client));
      return result;
    } catch (error) {
      // With COMMIT on its way, a connection that broke at any of the statements leaves open what became of it. What the
      // server itself refused is known, and so is what the caller did: a lost answer to COMMIT hides neither.
      const unknown = await unknownOutcome(committed);
      broken ||= unknown !== undefined || error instanceof OutcomeUnknown || !(await rolledBack(client));
      throw error instanceof Unavailable ? (unknown ?? error) : error;
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await (this.#closed ??= this.#pool.end());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #connect(): Promise<PoolClient> {
    // Unavailable and no Pushback: to who asks within other work it is trouble that passes, as any of the database's.
    if (this.#pool.waitingCount >= this.#waiting) {
      throw new Unavailable(`${this.#pool.waitingCount} readers wait for the database already`, 1);
    }
    try {
      const client = await this.#pool.connect();
      // A connection may break while it is checked out and idle; the next query on it tells.
      if (client.listenerCount("error") === 0) client.on("error", () => {});
      return client;
    } catch (error) {
      throw databaseFault(error);
    }
  }
}

function connectionOptions(url: string): PoolConfig {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new Misconfigured("CHANCERY_DATABASE_URL", "is not a postgres:// URL");
  }
  return { connectionString: url };
}

/** What is sent in one turn goes out in one write. pg makes one of every statement, and each wakes the server. */
function writeTogether({ connection }: PoolClient): void {
  const { stream } = connection;
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

async function run<Row>(client: PoolClient, sql: string | Prepared, params: readonly unknown[]): Promise<Row[]> {
  const values = params as unknown[];
  const answer = await (typeof sql === "string"
    ? client.query(values.length === 0 ? { text: sql } : { text: sql, values })
    : client.query({ name: sql.name, text: sql.text, values }));
  return answer.rows as Row[];
}

async function commit(client: PoolClient): Promise<void> {
  let command: string;
  try {
    ({ command } = await client.query("COMMIT"));
  } catch (error) {
    if (isServerAnswer(error)) throw databaseFault(error);
    throw new OutcomeUnknown("the database was lost while it committed", 2, { cause: error });
  }
  // PostgreSQL answers COMMIT of a failed transaction with success and the word ROLLBACK.
  if (command !== "COMMIT") throw new Error("a statement of the transaction failed and its error was not heeded");
}

async function unknownOutcome(committed: Promise<void> | undefined): Promise<OutcomeUnknown | undefined> {
  try {
    await committed;
  } catch (error) {
    if (error instanceof OutcomeUnknown) return error;
  }
  return undefined;
}

async function rolledBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}
