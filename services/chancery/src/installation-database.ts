import { join } from "node:path";
import { Database, runningEmbedded, startEmbedded } from "@chancery/postgres";

const CONNECTIONS = 4;

/** An installation's database, to be read: its own PostgreSQL may be running under `chancery serve`; else it runs while we read. */
export async function openInstallationDatabase(
  data: string,
  url: string | undefined,
  opened: AsyncDisposableStack,
): Promise<Database> {
  if (url !== undefined) return opened.use(await Database.open(url, { max: CONNECTIONS }));
  const directory = join(data, "postgres");
  const running = await runningEmbedded(directory);
  const attached = running && (await Database.open(running, { max: CONNECTIONS }).catch(() => undefined));
  if (attached) return opened.use(attached);
  const server = opened.use(await startEmbedded({ directory }));
  return opened.use(await Database.open(server.url, { max: CONNECTIONS }));
}
