import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createKeyFile, loadKeyFile, type Signer, spkiHash } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { keyPath } from "./authority/authority.ts";
import { alone } from "./installation-file.ts";
import {
  awaitLog,
  INSTALLATION_FILE,
  type InstallationFile,
  readInstallationFile,
  writeInstallationFile,
} from "./installation-state.ts";
import { MOST_REKOR_SHARDS, rekorShardName, type RekorShardName } from "./log-names.ts";

/** One of the logs that Rekor's v1 log is made of. All but the newest are frozen. */
export interface RekorShard {
  readonly name: RekorShardName;
  readonly treeId: bigint;
  readonly signer: Signer;
  /** The virtual index of its first entry. */
  readonly first: bigint;
  /** How many entries it ended with; undefined of the one that grows. */
  readonly length: bigint | undefined;
  /** When it logged, to the second. */
  readonly validFor: { readonly start: Date; readonly end?: Date };
}

/** Oldest first, one at least. Each key MUST be the one that its shard was made with. */
export async function loadRekorShards(
  directory: string,
  file: InstallationFile,
  firstKey: Signer,
): Promise<readonly RekorShard[]> {
  const followers = file.rekorShards ?? [];
  const begins = [{ treeId: file.treeId, first: "0", since: file.created }, ...followers];
  const signers = [firstKey, ...(await Promise.all(followers.map(({ key }, at) => loadKey(directory, at + 1, key))))];
  return begins.map(({ treeId, first, since }, at): RekorShard => {
    const next = followers[at];
    const signer = signers[at] ?? firstKey;
    if (next !== undefined && BigInt(next.first) < BigInt(first)) {
      throw new Misconfigured(
        join(directory, INSTALLATION_FILE),
        `rekorShards.${at}.first is less than the one before`,
      );
    }
    return {
      name: rekorShardName(at),
      treeId: BigInt(treeId),
      signer,
      first: BigInt(first),
      length: next && BigInt(next.first) - BigInt(first),
      validFor: { start: new Date(since), ...(next && { end: new Date(next.previousUntil) }) },
    };
  });
}

/** For people, where there are several. */
export function describeShards(shards: readonly RekorShard[]): string | undefined {
  const active = shards.at(-1);
  if (active === undefined || shards.length === 1) return undefined;
  return `${shards.length}; ${active.name} takes entries, from index ${active.first} on (tree ${active.treeId})`;
}

async function loadKey(directory: string, position: number, fingerprint: string): Promise<Signer> {
  const path = keyPath(directory, rekorShardName(position));
  const signer = await loadKeyFile(path);
  if (encodeHex(spkiHash(signer.publicKey)) === fingerprint) return signer;
  throw new Misconfigured(path, "is not the key that this installation was made with");
}

/** What follows the shard that grew. */
export interface NewRekorShard {
  /** How many shards there are, so that two commands at once do not make two. */
  readonly after: number;
  readonly treeId: bigint;
  /** Of all shards before it, which are frozen: their entries. */
  readonly first: bigint;
  readonly since: Date;
  readonly previousUntil: Date;
}

/** What a crash may come between. */
export type ShardStep = "key" | "mark" | "file";

/**
 * Has the next start make a new shard.
 *
 * Order that never changes: key → mark → `installation.json`. Until that names the shard nobody has seen its key, which the
 * next call makes anew, and the mark is of no force; once it does, the mark lets the next start make the log, and that once.
 */
export async function addRekorShard(
  directory: string,
  { after, treeId, first, since, previousUntil }: NewRekorShard,
  step: (done: ShardStep) => Promise<void> = async () => {},
): Promise<RekorShardName> {
  return await alone(directory, async () => {
    const file = await readInstallationFile(directory);
    const followers = file.rekorShards ?? [];
    if (followers.length + 1 !== after) throw new Misconfigured("--data", "another command made a shard meanwhile");
    if (after >= MOST_REKOR_SHARDS) throw new Misconfigured("--log", `rekor has ${after} shards, and can have no more`);
    const name = rekorShardName(after);
    const path = keyPath(directory, name);
    await rm(path, { force: true });
    // Clients of the v1 API verify nothing else.
    const { publicKey } = await createKeyFile(path, "ecdsa-p256");
    await step("key");
    await awaitLog(directory, name);
    await step("mark");
    const added = {
      treeId: treeId.toString(),
      key: encodeHex(spkiHash(publicKey)),
      first: first.toString(),
      since: since.toISOString(),
      previousUntil: previousUntil.toISOString(),
    };
    await writeInstallationFile(directory, { ...file, rekorShards: [...followers, added] });
    await step("file");
    return name;
  });
}
