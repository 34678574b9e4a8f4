import { rekorV2Origin } from "@chancery/rekor/search";
import type { LogName } from "./installation.ts";

/** What each log of an installation is called in its checkpoints. */
export function logOrigins({
  hostname,
  treeId,
  shard,
}: {
  readonly hostname: string;
  readonly treeId: string;
  readonly shard: string;
}): Readonly<Record<LogName, string>> {
  return {
    rekor: `${hostname} - ${treeId}`,
    "rekor-v2": rekorV2Origin(hostname),
    ctlog: `${hostname}/ctlog/${shard}`,
  };
}
