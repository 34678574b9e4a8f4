import type { Signer } from "@chancery/crypto";
import { encodeBase64, encodeHex } from "@chancery/encoding";
import type { LoggedEntry, PublishedCheckpoint, TransparencyLog } from "@chancery/log";
import { spkiHash } from "@chancery/crypto";
import { encodeEntryId } from "../entry-id.ts";
import type { RekorLogLinks } from "../rekor-log.ts";
import { placeShards, type ShardLinks } from "../shard.ts";
import { signEntryTimestamp } from "../signed-entry-timestamp.ts";
import { v2LogId } from "../v2/tree-head-signer.ts";
import type { EntryFacts } from "./entry-facts.ts";

/** A log, or a shard of the v1 log, and how its API names its entries. */
export interface NamedLog {
  /** The shards of v1 have one name: they are one log. */
  readonly name: "rekor" | "rekor-v2";
  /** What the index of its first entry is called: that of a shard goes on where the one before ended. */
  readonly first: bigint;
  entryId(entry: Pick<LoggedEntry, "identity">): string;
}

/** A log, or a shard, that is searched. */
export interface SearchedLog extends NamedLog {
  readonly log: TransparencyLog;
  /** What a cursor calls it. */
  readonly key: string;
  /** As bundles name it. */
  readonly logId: Uint8Array;
  /** v1's promise, by which clients know when an entry was logged; v2 gives none. */
  readonly promise?: (entry: LoggedEntry) => Promise<Uint8Array>;
}

/** An entry that was found, and what is told of it. */
export interface FoundEntry<Log extends NamedLog = SearchedLog> {
  readonly log: Log;
  readonly entry: LoggedEntry;
  readonly facts: EntryFacts;
}

/** The published tree that an answer is about, and how much of it may be missing from the answer. */
export interface CompleteTo {
  readonly log: SearchedLog;
  readonly checkpoint: PublishedCheckpoint;
  /** So many entries, from the first on, were logged before there was this search and are not all found yet. */
  readonly unindexed: bigint;
}

/** A shard of the v1 log, that is read without being searched. */
export function namedShard(treeId: bigint, first: bigint): NamedLog {
  return { name: "rekor", first, entryId: ({ identity }) => encodeEntryId(treeId, identity) };
}

/** The same of the v2 log. */
export const NAMED_V2: NamedLog = { name: "rekor-v2", first: 0n, entryId: ({ identity }) => encodeHex(identity) };

interface LogLinks {
  readonly log: TransparencyLog;
  readonly signer: Signer;
}

/** The shards of the v1 log, the newest first: what is newest is most often asked for. */
export function searchedV1({ inactive = [], ...links }: RekorLogLinks, treeId: bigint): SearchedLog[] {
  const { placed, next } = placeShards(inactive);
  const shards = placed.map((shard, at) => searchedShard(shard, shard.first, at));
  return [...shards, searchedShard({ ...links, treeId }, next, inactive.length)].toReversed();
}

function searchedShard({ log, signer, treeId }: ShardLinks, first: bigint, place: number): SearchedLog {
  const logId = spkiHash(signer.publicKey);
  return {
    ...namedShard(treeId, first),
    log,
    key: place === 0 ? "rekor" : String(treeId),
    logId,
    promise: ({ leaf, time, index }) =>
      signEntryTimestamp(signer, {
        body: encodeBase64(leaf),
        integratedTime: Math.floor(time / 1000),
        logId: encodeHex(logId),
        logIndex: Number(first + index),
      }),
  };
}

export function searchedV2({ log, signer }: LogLinks, origin: string): SearchedLog {
  return { ...NAMED_V2, log, key: "rekor-v2", logId: v2LogId(origin, signer) };
}
