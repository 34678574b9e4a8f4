import { Misconfigured } from "@chancery/fault";
import { rekorV2Origin } from "@chancery/rekor/search";
import type { ReadInstallation } from "./installation-file.ts";
import { type LogName, rekorShardName } from "./log-names.ts";

/** The shards of Rekor's v1 log, oldest first. */
export function rekorShardsOf({ treeId, rekorShards }: Pick<ReadInstallation, "treeId" | "rekorShards">) {
  return [{ treeId, first: "0" }, ...rekorShards].map((shard, at) => ({
    name: rekorShardName(at),
    treeId: BigInt(shard.treeId),
    first: BigInt(shard.first),
  }));
}

/** All logs of an installation. */
export function logNamesOf(installation: Pick<ReadInstallation, "treeId" | "rekorShards">): LogName[] {
  return [...rekorShardsOf(installation).map(({ name }) => name), "rekor-v2", "ctlog"];
}

/** What a log of an installation is called in its checkpoints. */
export function logOrigin(installation: ReadInstallation, log: LogName): string {
  const { hostname, shard } = installation;
  if (log === "rekor-v2") return rekorV2Origin(hostname);
  if (log === "ctlog") return `${hostname}/ctlog/${shard}`;
  const found = rekorShardsOf(installation).find(({ name }) => name === log);
  if (found === undefined) throw new Misconfigured("--log", `this installation has no log ${log}`);
  return `${hostname} - ${found.treeId}`;
}
