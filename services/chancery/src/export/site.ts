import type { PublicKey } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import { type LogReader, type PublishedCheckpoint, PostgresLogStore } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { readInstallation } from "../fsck/sources.ts";
import type { LogName } from "../installation.ts";
import { openInstallationDatabase } from "../installation-database.ts";
import { logOrigins } from "../log-origins.ts";
import { type Environment, resolveSettings } from "../settings.ts";
import { publicKeyIn } from "./log-keys.ts";

/** An installation as an export reads it. */
export interface Site {
  readonly data: string;
  readonly hostname: string;
  readonly treeId: bigint;
  readonly origins: Readonly<Record<LogName, string>>;
  readonly db: Database;
}

export interface PublishedLog {
  readonly reader: LogReader;
  readonly key: PublicKey;
  readonly checkpoint: PublishedCheckpoint;
}

export interface SiteFlags {
  readonly data?: string | undefined;
  readonly "database-url"?: string | undefined;
}

export async function openSite(
  flags: SiteFlags,
  environment: Environment,
  opened: AsyncDisposableStack,
): Promise<Site> {
  const { data, databaseUrl } = await resolveSettings(
    { data: flags.data, "database-url": flags["database-url"] },
    environment,
  );
  const installation = await readInstallation(data);
  const db = await openInstallationDatabase(data, databaseUrl, opened);
  const { hostname, treeId } = installation;
  return { data, hostname, treeId: BigInt(treeId), origins: logOrigins(installation), db };
}

/** The logs' schema is only looked at where it is up to date, for which a role that may read is enough. */
export async function logReader({ db }: Site, name: LogName): Promise<LogReader> {
  const stored = await (await PostgresLogStore.open(db)).find(name);
  if (stored === undefined)
    throw new Misconfigured("--data", `its database has no log ${name}; chancery serve makes it`);
  return stored.reader;
}

export async function publishedLog(site: Site, name: LogName): Promise<PublishedLog> {
  const [reader, key] = await Promise.all([logReader(site, name), publicKeyIn(site.data, name)]);
  const checkpoint = await reader.published();
  if (checkpoint === undefined) throw new Misconfigured("--data", `its log ${name} has published nothing yet`);
  return { reader, key, checkpoint };
}
