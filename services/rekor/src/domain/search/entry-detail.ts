import { decodeHex } from "@chancery/encoding";
import { Malformed, RefusedToSign } from "@chancery/fault";
import type { LoggedEntry, PublishedCheckpoint } from "@chancery/log";
import { type InclusionProof, leafHash, verifyInclusion } from "@chancery/tlog";
import { parseEntryId } from "../entry-id.ts";
import { describe } from "./log-search.ts";
import type { FoundEntry, SearchedLog } from "./searched-log.ts";
import { attestationBeside } from "./stored-facts.ts";

/** An entry with all that there is of it, and what proves it. */
export interface EntryDetail {
  readonly found: FoundEntry;
  readonly attestation: Uint8Array | undefined;
  readonly proof: InclusionProof;
  readonly checkpoint: PublishedCheckpoint;
  readonly promise: Uint8Array | undefined;
}

/** By its index, its leaf hash or, in the v1 log, its full entry ID. Of a log's shards, the newest first. */
export async function entryDetail(shards: readonly SearchedLog[], name: string): Promise<EntryDetail | undefined> {
  const found = await find(shards, name);
  if (found === undefined) return undefined;
  const { log, entry } = found;
  // Asked for after the entry, so that it covers it.
  const checkpoint = await log.log.published();
  const proof = await log.log.inclusionProof(entry.index, checkpoint.head.size);
  try {
    verifyInclusion(proof, leafHash(entry.leaf), checkpoint.head);
  } catch (cause) {
    throw new RefusedToSign(`the stored entry ${entry.index} is not the one in its tree`, { cause });
  }
  return {
    found: describe(log, entry),
    attestation: attestationBeside(entry.extra),
    proof,
    checkpoint,
    promise: await log.promise?.(entry),
  };
}

interface Found {
  readonly log: SearchedLog;
  readonly entry: LoggedEntry;
}

async function find(shards: readonly SearchedLog[], name: string): Promise<Found | undefined> {
  if (/^[0-9]{1,18}$/.test(name)) {
    const index = BigInt(name);
    const log = shards.find(({ first }) => first <= index);
    const entry = await log?.log.entry(index - log.first);
    return log && entry && { log, entry };
  }
  const isWhole = /^[0-9a-f]{80}$/i.test(name) && shards.some((log) => log.name === "rekor");
  if (!isWhole && !/^[0-9a-f]{64}$/i.test(name)) {
    throw new Malformed("entry: neither an index in decimal nor an entry ID of this log in hexadecimal");
  }
  const hash = isWhole ? parseEntryId(name).leafHash : decodeHex(name, "entry");
  for (const log of shards) {
    const entry = await log.log.findIdentity(hash);
    if (entry !== undefined && (!isWhole || log.entryId(entry) === name.toLowerCase())) return { log, entry };
  }
  return undefined;
}
