import { Difference } from "../domain/difference.ts";
import { sha256 } from "../domain/merkle.ts";
import type { LogKind } from "../public/served-log.ts";
import type { StoredEntry } from "./stored-log.ts";

/** The first month there was any Sigstore, 2021-03: what is older was not written by a log's clock. */
export const EARLIEST = 1_614_556_800_000n;

const NO_CT_ENTRY = "a v1 timestamped_entry of RFC 6962";

/**
 * What an entry's row says beside its leaf, where that follows from the leaf: of a Rekor entry that it is found by its leaf
 * hash, of a CT entry its time, and that a second submission of its certificate is found to be one. Undefined where all is
 * right. Whether the precertificate is the leaf's is for the auditor: to read it costs ten times as much as to hash it.
 */
export function differenceFromLeaf(kind: LogKind, entry: StoredEntry, hash: Uint8Array): Difference | undefined {
  const { index, time, leaf, identity = hash } = entry;
  if (kind !== "ctlog") return identityDifference(index, hash, identity);
  const parsed = readLeaf(entry);
  if (parsed === undefined) {
    return new Difference({ kind: "entry", index, field: "leaf" }, NO_CT_ENTRY, leaf.subarray(0, 64));
  }
  if (parsed.time !== time) {
    return new Difference({ kind: "entry", index, field: "time" }, `${parsed.time}, as its leaf says`, String(time));
  }
  return identityDifference(index, parsed.submitted, identity);
}

function identityDifference(index: bigint, expected: Uint8Array | undefined, found: Uint8Array) {
  if (expected !== undefined && Buffer.compare(expected, found) === 0) return undefined;
  return new Difference({ kind: "entry", index, field: "identity" }, expected ?? "a precertificate beside it", found);
}

/** MerkleTreeLeaf { v1(0), timestamped_entry(0), uint64 timestamp, x509_entry(0) | precert_entry(1), … } */
function readLeaf({ leaf, precertificate }: StoredEntry) {
  const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.byteLength);
  if (leaf.length < 15 || view.getUint16(0) !== 0 || view.getUint16(10) > 1) return undefined;
  const time = view.getBigUint64(2);
  if (view.getUint16(10) === 1) return { time, submitted: precertificate };
  // opaque ASN.1Cert<1..2^24-1>
  const end = 15 + view.getUint8(12) * 65_536 + view.getUint16(13);
  return end > leaf.length ? undefined : { time, submitted: sha256(leaf.subarray(15, end)) };
}
