import type { Signer } from "@chancery/crypto";
import { encodeBase64, encodeHex } from "@chancery/encoding";
import type { LoggedEntry, PublishedCheckpoint, TransparencyLog } from "@chancery/log";
import { spkiHash } from "@chancery/crypto";
import { encodeEntryId } from "../entry-id.ts";
import { signEntryTimestamp } from "../signed-entry-timestamp.ts";
import { v2LogId } from "../v2/tree-head-signer.ts";
import type { EntryFacts } from "./entry-facts.ts";

/** A log, and how its API names its entries. */
export interface NamedLog {
  readonly name: "rekor" | "rekor-v2";
  entryId(entry: Pick<LoggedEntry, "identity">): string;
}

/** A log that is searched. */
export interface SearchedLog extends NamedLog {
  readonly log: TransparencyLog;
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

/** Of a log that is read without being searched. */
export function namedLog(name: NamedLog["name"], treeId: bigint): NamedLog {
  return name === "rekor"
    ? { name, entryId: ({ identity }) => encodeEntryId(treeId, identity) }
    : { name, entryId: ({ identity }) => encodeHex(identity) };
}

interface LogLinks {
  readonly log: TransparencyLog;
  readonly signer: Signer;
}

export function searchedV1({ log, signer }: LogLinks, treeId: bigint): SearchedLog {
  const logId = spkiHash(signer.publicKey);
  return {
    ...namedLog("rekor", treeId),
    log,
    logId,
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
  return { ...namedLog("rekor-v2", 0n), log, logId: v2LogId(origin, signer) };
}
