import { ctTreeHeadSigner } from "@chancery/ctlog";
import type { TreeHeadSigner } from "@chancery/log";
import { rekorTreeHeadSigner, rekorV2Origin, rekorV2TreeHeadSigner } from "@chancery/rekor";
import type { Installation, LogName } from "./installation.ts";

/** Under its origin and with its key, as every checkpoint the log ever signed: another origin would be another log. */
export function treeHeadSigner(name: LogName, installation: Installation): TreeHeadSigner {
  return SIGNERS[name](installation);
}

const SIGNERS: Readonly<Record<LogName, (installation: Installation) => TreeHeadSigner>> = {
  rekor: ({ hostname, treeId, keys }: Installation) => rekorTreeHeadSigner({ hostname, treeId, signer: keys.rekor }),
  "rekor-v2": ({ hostname, keys }: Installation) =>
    rekorV2TreeHeadSigner({ origin: rekorV2Origin(hostname), signer: keys["rekor-v2"] }),
  ctlog: ({ hostname, shard, keys }: Installation) =>
    ctTreeHeadSigner({ origin: `${hostname}/ctlog/${shard}`, signer: keys.ctlog }),
};
