import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { Database, runningEmbedded, startEmbedded } from "@chancery/postgres";
import { onOwnDatabase } from "./own-database.ts";
import type { Settings } from "./settings.ts";

/** The installation's database, which no other Chancery uses: what runs might sign while its anchor or its tree is replaced. */
export async function openStopped({ data, databaseUrl }: Settings, opened: AsyncDisposableStack): Promise<Database> {
  let url = databaseUrl;
  if (url === undefined) {
    const directory = join(data, "postgres");
    const running = await runningEmbedded(directory);
    // The address is left behind by one that has ended.
    const answering = running && (await Database.open(running, { max: 1 }).catch(() => undefined));
    if (answering) {
      await answering.close();
      throw new Misconfigured("data folder", `a chancery runs on ${data}; stop it first`);
    }
    url = opened.use(await startEmbedded({ directory })).url;
  }
  // One connection: any other of this name is another process.
  const db = opened.use(await onOwnDatabase(databaseUrl, Database.open(url, { max: 1 })));
  const others = await db.query(
    `SELECT FROM pg_stat_activity
     WHERE application_name = 'chancery' AND datname = current_database() AND pid <> pg_backend_pid()`,
  );
  if (others.length > 0) throw new Misconfigured("database", "a chancery runs on it; stop it first");
  return db;
}
