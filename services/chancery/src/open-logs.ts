import { join } from "node:path";
import { FileAnchor, PostgresLogStore, TransparencyLog } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import type { InactiveShard } from "@chancery/rekor";
import type { Logger } from "@chancery/service";
import type { Installation, LogName } from "./installation.ts";
import { refuseOutgrown } from "./left-anchor.ts";
import { openNewLast } from "./new-logs.ts";
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
  const { rekorShards, awaitsLogs } = installation;
  // In development a jump ahead is believed: a laptop's virtual machine stands still while the laptop sleeps.
  const elapsed = issuers === undefined ? { elapsed: Date.now } : {};
  const store = await PostgresLogStore.open(db);
  const open = async (name: LogName) => {
    const signer = treeHeadSigner(name, installation);
    const anchor = await FileAnchor.open(directory, name);
    await refuseOutgrown(settings, name, anchor);
    const create = awaitsLogs.includes(name);
    const shard = rekorShards.find((one) => one.name === name);
    const since = shard === undefined ? {} : { since: shard.validFor.start.getTime() };
    const log = await TransparencyLog.open({ name, store, anchor, signer, create, ...since, ...elapsed });
    opened.defer(() => log.close());
    // Who asks /readyz is not told where it lies.
    const { refusal } = log.state;
    if (refusal !== undefined) logger.child({ from: name }).error(`${refusal} (its anchor: ${join(directory, name)})`);
    return log;
  };
  const logs = await openNewLast(installation, open);
  const log = (name: LogName): TransparencyLog => {
    const one = logs.get(name);
    if (one === undefined) throw new TypeError(`log ${name} was not opened`);
    return one;
  };
  const shards = rekorShards.map((shard): OpenShard => Object.assign({ log: log(shard.name) }, shard));
  const inactive = shards.flatMap(({ length, ...shard }) => (length === undefined ? [] : [{ ...shard, length }]));
  const rekor = shards.at(-1);
  if (rekor === undefined) throw new TypeError("an installation has a v1 log");
  return { rekor, inactive, rekorV2: log("rekor-v2"), ctlog: log("ctlog") };
}
