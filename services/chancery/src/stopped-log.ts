import { FileAnchor, type TreeHeadSigner } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { readInstallation } from "./installation-file.ts";
import { type LogName, openInstallation, requireLogName } from "./installation.ts";
import { type Environment, resolveSettings, type Settings } from "./settings.ts";
import { openStopped } from "./stopped-database.ts";
import { treeHeadSigner } from "./tree-head-signers.ts";

/** A log of an installation that nothing runs on, for a command that changes what `serve` relies on. */
export interface StoppedLog {
  readonly name: LogName;
  readonly settings: Settings;
  readonly db: Database;
  readonly anchor: FileAnchor;
  readonly signer: TreeHeadSigner;
}

export interface StoppedLogFlags {
  readonly log?: string | undefined;
  readonly data?: string | undefined;
  readonly anchor?: string | undefined;
  readonly "database-url"?: string | undefined;
}

export async function openStoppedLog(
  { log, data, anchor: folder, "database-url": url }: StoppedLogFlags,
  environment: Environment,
  opened: AsyncDisposableStack,
): Promise<StoppedLog> {
  const name = requireLogName(log);
  const settings = await resolveSettings({ data, anchor: folder, "database-url": url }, environment);
  // Before it is opened, which would make one where there is none.
  const { hostname } = await readInstallation(settings.data);
  const installation = await openInstallation(settings, hostname, new Date());
  // A name that is none of its logs leaves no folder behind.
  const signer = treeHeadSigner(name, installation);
  const db = await openStopped(settings, opened);
  const anchor = await FileAnchor.open(settings.anchor, name);
  return { name, settings, db, anchor, signer };
}
