import { decodeHex } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { PublishedCheckpoint } from "@chancery/log";
import type { InclusionProof } from "@chancery/tlog";
import { parseEntryId } from "../entry-id.ts";
import { type AskedEntry, entryAt, entryOfLeafHash, proveStored } from "../stored-proof.ts";
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
  const { log, stored } = found;
  // Asked for after the entry, so that it covers it.
  const checkpoint = await log.log.published();
  const proof = await proveStored(log.log, stored, checkpoint.head, log.first);
  const { entry } = stored;
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
  readonly stored: AskedEntry;
}

async function find(shards: readonly SearchedLog[], name: string): Promise<Found | undefined> {
  if (/^[0-9]{1,18}$/.test(name)) {
    const index = BigInt(name);
    const log = shards.find(({ first }) => first <= index);
    const stored = log && (await entryAt(log.log, index - log.first));
    return stored && { log, stored };
  }
  const isWhole = /^[0-9a-f]{80}$/i.test(name) && shards.some((log) => log.name === "rekor");
  if (!isWhole && !/^[0-9a-f]{64}$/i.test(name)) {
    throw new Malformed("entry: neither an index in decimal nor an entry ID of this log in hexadecimal");
  }
  const hash = isWhole ? parseEntryId(name).leafHash : decodeHex(name, "entry");
  for (const log of shards) {
    // A whole ID names its tree: what is stored there is judged later, or an entry that was changed would never have been logged.
    if (isWhole && log.entryId({ identity: hash }) !== name.toLowerCase()) continue;
    const stored = await entryOfLeafHash(log.log, hash);
    if (stored !== undefined) return { log, stored };
  }
  return undefined;
}
