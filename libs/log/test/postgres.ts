import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type EmbeddedPostgres, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll } from "vitest";
import { type Failpoint, PostgresLogStore } from "../src/index.ts";

export interface TestServer {
  readonly directory: string;
  readonly url: string;
  /** The database that tests share, each with logs of its own name. */
  readonly shared: TestDatabase;
  /** A new database with the log's tables, or a copy of another database as it is now. */
  readonly database: (copyOf?: string) => Promise<TestDatabase>;
}

export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  readonly db: Database;
  readonly store: (failpoint?: Failpoint) => Promise<PostgresLogStore>;
}

/** One server for the tests of a file. */
export function testServer(): TestServer {
  let directory = "";
  let server: EmbeddedPostgres;
  let admin: Database;
  let made = 0;
  let shared: TestDatabase;
  const open: Database[] = [];
  const urlOf = (name: string) => server.url.replace("/chancery?", `/${name}?`);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "log-test-"));
    server = await startEmbedded({ directory });
    admin = await Database.open(server.url, { max: 2 });
    await admin.query("CREATE DATABASE template_log");
    const template = await Database.open(urlOf("template_log"), { max: 1 });
    await PostgresLogStore.open(template);
    await template.close();
    shared = await database();
  });

  afterAll(async () => {
    await Promise.all(open.map((db) => db.close()));
    await admin.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  async function database(copyOf = "template_log"): Promise<TestDatabase> {
    const name = `log_${++made}`;
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${copyOf} STRATEGY wal_log`);
    const db = await Database.open(urlOf(name), { max: 8 });
    open.push(db);
    return { name, url: urlOf(name), db, store: (failpoint) => PostgresLogStore.open(db, failpoint) };
  }

  return {
    get directory() {
      return directory;
    },
    get url() {
      return server.url;
    },
    get shared() {
      return shared;
    },
    database,
  };
}
