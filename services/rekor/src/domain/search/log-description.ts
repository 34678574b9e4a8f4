import { encodeHex, encodePem } from "@chancery/encoding";
import { type PublicKey, spkiHash } from "@chancery/crypto";
import type { PublishedCheckpoint, TransparencyLog } from "@chancery/log";
import { type InactiveShard, placeShards } from "../shard.ts";

/** A log of this installation, Rekor's or another's, as it is told of. */
export interface DescribedLog {
  /** `rekor`, `rekor-v2`, `ctlog/<shard>`. */
  readonly name: string;
  readonly log: TransparencyLog;
  readonly publicKey: PublicKey;
  /** As clients name it in bundles and SCTs; the SHA-256 of the key if not given. */
  readonly logId?: Uint8Array;
  /** Of a log of several trees: those before this one, which are frozen, oldest first. */
  readonly inactive?: readonly InactiveShard[];
  readonly treeId?: bigint;
}

export interface LogDescription {
  readonly name: string;
  readonly origin: string;
  readonly publicKey: string;
  readonly keyId: string;
  readonly logId: string;
  readonly checkpoint: PublishedCheckpoint;
  readonly frozen: boolean;
  readonly readOnly: boolean;
  /** Oldest first; the last is the log's own tree. */
  readonly shards: readonly ShardDescription[];
}

/** One of the trees that a log is made of. */
export interface ShardDescription {
  readonly origin: string;
  /** Of the v1 log's. */
  readonly treeId: bigint | undefined;
  readonly publicKey: string;
  readonly checkpoint: PublishedCheckpoint;
  /** The log's index of its first entry. */
  readonly first: bigint;
}

export async function describeLog(described: DescribedLog): Promise<LogDescription> {
  const { name, log, publicKey, logId } = described;
  const shards = await describeShards(described);
  const [{ checkpoint }] = shards.slice(-1) as [ShardDescription];
  const { frozen, refusal } = log.state;
  return {
    name,
    origin: log.key.origin,
    publicKey: encodePem("PUBLIC KEY", publicKey.spki),
    keyId: encodeHex(log.key.keyId),
    logId: encodeHex(logId ?? spkiHash(publicKey)),
    checkpoint,
    frozen,
    readOnly: frozen || refusal !== undefined,
    shards,
  };
}

async function describeShards({ log, publicKey, treeId, inactive = [] }: DescribedLog): Promise<ShardDescription[]> {
  const { placed, next } = placeShards(inactive);
  const trees = [
    ...placed.map((shard) => ({
      log: shard.log,
      publicKey: shard.signer.publicKey,
      treeId: shard.treeId,
      first: shard.first,
    })),
    { log, publicKey, treeId, first: next },
  ];
  return await Promise.all(
    trees.map(async (tree) => ({
      origin: tree.log.key.origin,
      treeId: tree.treeId,
      publicKey: encodePem("PUBLIC KEY", tree.publicKey.spki),
      checkpoint: await tree.log.published(),
      first: tree.first,
    })),
  );
}
