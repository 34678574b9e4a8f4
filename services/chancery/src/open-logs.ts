import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { FileAnchor, PostgresLogStore, TransparencyLog } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import type { InactiveShard } from "@chancery/rekor";
import type { Logger } from "@chancery/service";
import type { Installation, LogName } from "./installation.ts";
import { refuseOutgrown } from "./left-anchor.ts";
import type { RekorShard } from "./rekor-shards.ts";
import type { Settings } from "./settings.ts";
import { treeHeadSigner } from "./tree-head-signers.ts";

/** Both of Rekor's and the CT log, each its own tree, on one database. */
export interface Logs {
  /** The shards of the v1 log: the one that takes entries, and those before it, oldest first. */
  readonly rekor: OpenShard;
  readonly inactive: readonly (OpenShard & InactiveShard)[];
  readonly rekorV2: TransparencyLog;
  readonly ctlog: TransparencyLog;
}

interface OpenShard extends RekorShard {
  readonly log: TransparencyLog;
}

export async function openLogs(
  db: Database,
  settings: Settings,
  installation: Installation,
  opened: AsyncDisposableStack,
  logger: Logger,
): Promise<Logs> {
  const { anchor: directory, issuers } = settings;
  // In development a jump ahead is believed: a laptop's virtual machine stands still while the laptop sleeps.
  const elapsed = issuers === undefined ? { elapsed: Date.now } : {};
  const store = await PostgresLogStore.open(db);
  const open = async (name: LogName, since?: Date) => {
    const signer = treeHeadSigner(name, installation);
    const anchor = await FileAnchor.open(directory, name);
    await refuseOutgrown(settings, name, anchor);
    const log = await TransparencyLog.open({
      name,
      store,
      anchor,
      signer,
      create: installation.awaitsLogs.includes(name),
      ...(since === undefined ? {} : { since: since.getTime() }),
      ...elapsed,
    });
    opened.defer(() => log.close());
    // Who asks /readyz is not told where it lies.
    const { refusal } = log.state;
    if (refusal !== undefined) logger.child({ from: name }).error(`${refusal} (its anchor: ${join(directory, name)})`);
    return log;
  };
  const shards: OpenShard[] = [];
  for (const shard of installation.rekorShards) {
    shards.push({ ...shard, log: await open(shard.name, shard.validFor.start) });
  }
  const ctlog = await open("ctlog");
  const rekorV2 = await open("rekor-v2");
  const inactive = shards.flatMap(({ length, ...shard }) => (length === undefined ? [] : [{ ...shard, length }]));
  const rekor = shards.at(-1);
  if (rekor === undefined) throw new TypeError("an installation has a v1 log");
  return { rekor, inactive, rekorV2, ctlog };
}

/**
 * On a first start, where nothing has been served yet and another database may still be named. Most often it is that of
 * another installation; confirmed on that one, these logs could never be made anywhere else.
 */
export async function requireMade({ rekor, inactive, rekorV2, ctlog }: Logs): Promise<void> {
  let reason: string | undefined;
  for (const log of [...inactive, rekor].map((shard) => shard.log).concat(rekorV2, ctlog))
    reason ??= await log.readiness();
  if (reason !== undefined)
    throw new Misconfigured("CHANCERY_DATABASE_URL", `cannot hold the logs of a new installation: ${reason}`);
}
