import { Misconfigured, Unavailable } from "@chancery/fault";
import { type ClientBase, Pool, type PoolClient, type PoolConfig } from "pg";
import { columnTypes } from "./column-types.ts";
import { databaseFault, isServerAnswer } from "./database-fault.ts";

/** A statement PostgreSQL parses and plans once per connection. The name is unique in the program. */
export interface Prepared {
  readonly name: string;
  readonly text: string;
}

export interface Queryable {
  /**
   * Rows of one statement. bigint columns are bigint, bytea columns Uint8Array. Queries issued without
   * awaiting the one before travel together and run in order.
   */
  query<Row>(sql: string | Prepared, params?: readonly unknown[]): Promise<Row[]>;
}

export interface Transaction extends Queryable {
  /**
   * Sends COMMIT with the statements of this turn instead of after their answers. Whoever does so has them fail where
   * nothing of them may stay. No statement MAY follow.
   */
  commitTogether(): void;
}

/**
 * COMMIT was sent and its answer never came: the transaction is either wholly there or wholly not. The
 * caller MUST look, and MUST NOT simply run it again.
 */
export class OutcomeUnknown extends Unavailable {}

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than the server's own limit on a statement. */
const ANSWER_TIMEOUT_MS = 35_000;

/**
 * What each connection begins with. statement_timeout: what takes longer is stuck. idle_in_transaction: a process
 * that stopped in a transaction gives its locks back to the others. plan_cache_mode: a plan is made once; left to
 * itself PostgreSQL takes short arrays for cheap and plans each such statement anew each time. The others: every query
 * here goes through an index to a few rows, and a plan that is made once and knows none of its parameters must neither
 * scan a table nor start workers (which cost 12 ms a batch as soon as a log had 200,000 entries).
 */
const SESSION = `SELECT set_config('statement_timeout', '30s', false),
  set_config('idle_in_transaction_session_timeout', '5s', false),
  set_config('plan_cache_mode', 'force_generic_plan', false),
  set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),
  set_config('max_parallel_workers_per_gather', '0', false), set_config('jit', 'off', false)`;

/** A pool of connections to one database. Trouble with the connection is Unavailable, with its cause. */
export class Database implements Queryable, AsyncDisposable {
  readonly #pool: Pool;
  #closed: Promise<void> | undefined;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Connects once, so that a wrong URL is told at start and by name. */
  static async open(url: string, options: { max?: number } = {}): Promise<Database> {
    const pool = new Pool({
      ...connectionOptions(url),
      max: options.max ?? 10,
      types: columnTypes,
      pipeline: true,
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      application_name: "chancery",
      // oxlint-disable-next-line typescript/no-misused-promises -- the pool awaits it, though its declaration says void
      onConnect: beginSession,
    });
    // An idle connection that breaks is dropped by the pool; without a listener it would end the process.
    pool.on("error", () => {});
    const database = new Database(pool);
    try {
      await requireUtf8(database);
    } catch (error) {
      await pool.end();
      throw error;
    }
    return database;
  }

  async query<Row>(sql: string | Prepared, params: readonly unknown[] = []): Promise<Row[]> {
    const client = await this.#connect();
    let broken = false;
    try {
      return await run<Row>(client, sql, params);
    } catch (error) {
      broken = !isServerAnswer(error);
      throw databaseFault(error);
    } finally {
      client.release(broken);
    }
  }

  /**
   * One transaction, READ COMMITTED: what follows a lock sees what was committed before the lock was
   * given. A failure before COMMIT leaves nothing behind; one at COMMIT is OutcomeUnknown.
   */
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
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
      const begun = tx.query("BEGIN");
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

async function beginSession(client: ClientBase): Promise<void> {
  await client.query(SESSION);
}

/**
 * In another encoding a name is kept otherwise than it was signed, or refused when it is logged: in SQL_ASCII no letter
 * but those of ASCII has a lower case, no text is checked, and a prefix ends within a letter.
 */
async function requireUtf8(db: Database): Promise<void> {
  const [row] = await db.query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  if (row?.encoding === "UTF8") return;
  throw new Misconfigured(
    "CHANCERY_DATABASE_URL",
    `its database has the encoding ${row?.encoding}, not UTF8; make one by CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`,
  );
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
