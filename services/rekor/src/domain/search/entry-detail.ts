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

/** By its index, its leaf hash or, in the v1 log, its full entry ID. */
export async function entryDetail(log: SearchedLog, name: string): Promise<EntryDetail | undefined> {
  const entry = await find(log, name);
  if (entry === undefined) return undefined;
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

async function find(log: SearchedLog, name: string): Promise<LoggedEntry | undefined> {
  if (/^[0-9]{1,18}$/.test(name)) return await log.log.entry(BigInt(name));
  if (/^[0-9a-f]{64}$/i.test(name)) return await log.log.findIdentity(decodeHex(name, "entry"));
  if (log.name !== "rekor" || !/^[0-9a-f]{80}$/i.test(name)) {
    throw new Malformed("entry: neither an index in decimal nor an entry ID of this log in hexadecimal");
  }
  const { leafHash: hash } = parseEntryId(name);
  const entry = await log.log.findIdentity(hash);
  return entry && log.entryId(entry) === name.toLowerCase() ? entry : undefined;
}
