import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgresLogStore } from "@chancery/log";
import { Database, type EmbeddedPostgres, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll } from "vitest";

export interface TestDatabase {
  readonly url: string;
  readonly db: Database;
  store(): Promise<PostgresLogStore>;
}

/** One server for the tests of a file, and a new database each time it is asked for one. */
export function testDatabases(): () => Promise<TestDatabase> {
  let directory = "";
  let server: EmbeddedPostgres;
  let made = 0;
  const open: Database[] = [];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "rekor-test-"));
    server = await startEmbedded({ directory });
  });
  afterAll(async () => {
    await Promise.all(open.map((db) => db.close()));
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });
  return async () => {
    const name = `rekor_${++made}`;
    const admin = await Database.open(server.url, { max: 1 });
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.close();
    const url = server.url.replace("/chancery?", `/${name}?`);
    const db = await Database.open(url, { max: 4 });
    open.push(db);
    return { url, db, store: () => PostgresLogStore.open(db) };
  };
}
