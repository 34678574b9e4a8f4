import type { Signer } from "@chancery/crypto";
import { encodeBase64, encodeHex } from "@chancery/encoding";
import type { LoggedEntry, PublishedCheckpoint, TransparencyLog } from "@chancery/log";
import { spkiHash } from "@chancery/crypto";
import { encodeEntryId } from "../entry-id.ts";
import { signEntryTimestamp } from "../signed-entry-timestamp.ts";
import { v2LogId } from "../v2/tree-head-signer.ts";
import type { EntryFacts } from "./entry-facts.ts";

/** A log that is searched, and how its API names its entries. */
export interface SearchedLog {
  readonly name: "rekor" | "rekor-v2";
  readonly log: TransparencyLog;
  /** As bundles name it. */
  readonly logId: Uint8Array;
  entryId(entry: Pick<LoggedEntry, "identity">): string;
  /** v1's promise, by which clients know when an entry was logged; v2 gives none. */
  readonly promise?: (entry: LoggedEntry) => Promise<Uint8Array>;
}

/** An entry that was found, and what is told of it. */
export interface FoundEntry {
  readonly log: SearchedLog;
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

interface LogLinks {
  readonly log: TransparencyLog;
  readonly signer: Signer;
}

export function searchedV1({ log, signer }: LogLinks, treeId: bigint): SearchedLog {
  const logId = spkiHash(signer.publicKey);
  return {
    name: "rekor",
    log,
    logId,
    entryId: ({ identity }) => encodeEntryId(treeId, identity),
    promise: ({ leaf, time, index }) =>
      signEntryTimestamp(signer, {
        body: encodeBase64(leaf),
        integratedTime: Math.floor(time / 1000),
        logId: encodeHex(logId),
        logIndex: Number(index),
      }),
  };
}

export function searchedV2({ log, signer }: LogLinks, origin: string): SearchedLog {
  return { name: "rekor-v2", log, logId: v2LogId(origin, signer), entryId: ({ identity }) => encodeHex(identity) };
}
