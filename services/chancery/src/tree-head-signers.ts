import { ctTreeHeadSigner } from "@chancery/ctlog";
import { Misconfigured } from "@chancery/fault";
import type { TreeHeadSigner } from "@chancery/log";
import { rekorTreeHeadSigner, rekorV2Origin, rekorV2TreeHeadSigner } from "@chancery/rekor";
import type { Installation, LogName } from "./installation.ts";

/** Under its origin and with its key, as every checkpoint the log ever signed: another origin would be another log. */
export function treeHeadSigner(log: LogName, { hostname, shard, keys, rekorShards }: Installation): TreeHeadSigner {
  if (log === "rekor-v2") return rekorV2TreeHeadSigner({ origin: rekorV2Origin(hostname), signer: keys["rekor-v2"] });
  if (log === "ctlog") return ctTreeHeadSigner({ origin: `${hostname}/ctlog/${shard}`, signer: keys.ctlog });
  const found = rekorShards.find(({ name }) => name === log);
  if (found === undefined) throw new Misconfigured("--log", `this installation has no log ${log}`);
  return rekorTreeHeadSigner({ hostname, treeId: found.treeId, signer: found.signer });
}
