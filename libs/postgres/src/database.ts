import { Misconfigured } from "@chancery/fault";
import { Connections } from "./connections.ts";
import type { Prepared, Queryable, Transaction } from "./queryable.ts";

/** Of each of the two kinds, unless the caller says otherwise. */
const CONNECTIONS = 10;
/** What a reader asks takes longer only if it is stuck. */
const READ_MS = 30_000;
/**
 * Readers that wait for others, as many as the edges let in at once. Who finds more before him is told so at once, and
 * whoever has waited for a connection for five seconds as well.
 */
const READERS_WAITING = 4_096;
/** What a search asks takes tenths of a second where the indexes lie in memory, and anyone may ask it. */
const SEARCH_MS = 2_000;
/** Of what is reserved: what hangs is to be known while its callers still wait for their answer. */
const RESERVED_MS = 10_000;

/**
 * Three kinds of connections to one database. Any number of readers may ask at once, and wait for each other; what the
 * program bounds itself, its writers and what they read on their way, has `reserved` ones and waits for no reader: in
 * one queue with 300 that read 100 entries each, a batch took 2.8 s instead of 0.05. Trouble with a connection is
 * Unavailable, with its cause.
 */
export class Database implements Queryable, AsyncDisposable {
  /** For what there is only so much of at a time, however many ask. */
  readonly reserved: Queryable;
  /** For look-ups by what strangers name; they can change nothing. They wait for each other, and hold up no reader who knows what he reads. */
  readonly searches: Queryable;
  readonly #url: string;
  readonly #reading: Connections;
  readonly #reserved: Connections;
  readonly #searching: Connections;

  private constructor(url: string, max: number, waiting: number) {
    this.#url = url;
    this.#reading = new Connections(url, { max, statementMs: READ_MS, waiting });
    this.#reserved = new Connections(url, { max, statementMs: RESERVED_MS });
    this.reserved = this.#reserved;
    const tooLong = `search: took the database longer than ${SEARCH_MS / 1_000} s; ask for less, or again`;
    this.#searching = new Connections(url, { max, statementMs: SEARCH_MS, waiting, tooLong, readOnly: true });
    this.searches = this.#searching;
  }

  /** Connects once, so that a wrong URL is told at start and by name. `max` is of each kind, `waiting` of readers. */
  static async open(url: string, options: { max?: number; waiting?: number } = {}): Promise<Database> {
    const database = new Database(url, options.max ?? CONNECTIONS, options.waiting ?? READERS_WAITING);
    try {
      await requireUtf8(database);
    } catch (error) {
      await database.close();
      throw error;
    }
    return database;
  }

  query<Row>(sql: string | Prepared, params?: readonly unknown[]): Promise<Row[]> {
    return this.#reading.query<Row>(sql, params);
  }

  /** Of a writer; see `Connections.transaction`. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#reserved.transaction(work);
  }

  /** Of a reader: it can change nothing, and waits among readers. */
  readOnly<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#reading.transaction(work, "BEGIN READ ONLY");
  }

  /** With all the time it takes, on a connection of its own: an index of a large table is made in minutes. */
  async unhurried<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    await using connections = new Connections(this.#url, { max: 1, statementMs: 0 });
    return await connections.transaction(work);
  }

  async close(): Promise<void> {
    await Promise.all([this.#reading.close(), this.#reserved.close(), this.#searching.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
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
