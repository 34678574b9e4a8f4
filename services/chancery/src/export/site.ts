import type { PublicKey } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import type { LogReader, PublishedCheckpoint } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { type ReadInstallation, readInstallation } from "../installation-file.ts";
import type { LogName } from "../installation.ts";
import { openWithUrl, type Tell } from "../installation-database.ts";
import { logOrigin } from "../log-origins.ts";
import { type Environment, resolveStorage } from "../settings-sources.ts";
import { publicKeyIn } from "./log-keys.ts";
import { logReader } from "./log-reader.ts";
import type { ExportedLog } from "./manifest.ts";

/** An installation as an export reads it. */
export interface Site {
  readonly data: string;
  readonly hostname: string;
  readonly installation: ReadInstallation;
  readonly db: Database;
  /** What `db` was opened by. */
  readonly databaseUrl: string;
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
  tell: Tell,
): Promise<Site> {
  const { data, databaseUrl } = await resolveStorage(
    { data: flags.data, "database-url": flags["database-url"] },
    environment,
  );
  const installation = await readInstallation(data);
  const { db, url } = await openWithUrl(data, databaseUrl, opened, tell);
  return { data, hostname: installation.hostname, installation, db, databaseUrl: url };
}

/** A log of another origin is another log, whatever its name: nothing is signed for one with what was read of the other. */
export async function checkSameLogs(data: string, logs: readonly Pick<ExportedLog, "log" | "origin">[]): Promise<void> {
  const installation = await readInstallation(data);
  const other = logs.find(({ log, origin }) => logOrigin(installation, log) !== origin);
  if (other === undefined) return;
  const { log, origin } = other;
  throw new Misconfigured(
    "--data",
    `its log ${log} is ${logOrigin(installation, log)} now and was ${origin} when the export began; take what was exported away and begin anew`,
  );
}

export async function publishedLog(site: Site, name: LogName): Promise<PublishedLog> {
  const [reader, key] = await Promise.all([logReader(site.db, name), publicKeyIn(site.data, name)]);
  const checkpoint = await reader.published();
  if (checkpoint === undefined) throw new Misconfigured("--data", `its log ${name} has published nothing yet`);
  return { reader, key, checkpoint };
}
