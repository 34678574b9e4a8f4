import { join } from "node:path";
import { Database, runningEmbedded, startEmbedded } from "@chancery/postgres";

const CONNECTIONS = 4;

/** An installation's database, to be read: its own PostgreSQL may be running under `chancery serve`; else it runs while we read. */
export async function openInstallationDatabase(
  data: string,
  url: string | undefined,
  opened: AsyncDisposableStack,
): Promise<Database> {
  return (await openWithUrl(data, url, opened)).db;
}

/** With the URL that it was opened by, for threads, which open it once more. It may hold a password. */
export async function openWithUrl(
  data: string,
  url: string | undefined,
  opened: AsyncDisposableStack,
): Promise<{ readonly db: Database; readonly url: string }> {
  if (url !== undefined) return { db: opened.use(await Database.open(url, { max: CONNECTIONS })), url };
  const directory = join(data, "postgres");
  const running = await runningEmbedded(directory);
  const attached = running && (await Database.open(running, { max: CONNECTIONS }).catch(() => undefined));
  if (attached) return { db: opened.use(attached), url: running };
  const server = opened.use(await startEmbedded({ directory }));
  return { db: opened.use(await Database.open(server.url, { max: CONNECTIONS })), url: server.url };
}
