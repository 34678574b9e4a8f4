import { encodeBase64, encodeHex } from "@chancery/encoding";
import type { ProvenEntry } from "../domain/rekor-log.ts";

/** `{ <entryID>: { body, integratedTime, logID, logIndex, verification } }`, the API's form of an entry. */
export function encodeLogEntry(entry: ProvenEntry): Record<string, unknown> {
  return {
    [entry.entryId]: {
      // Upstream returns the payload only on reading; on writing the client has just sent it.
      ...(entry.attestation && { attestation: { data: encodeBase64(entry.attestation) } }),
      ...encodeCreated(entry),
    },
  };
}

/** The answer to a write. */
export function encodeCreatedEntry(entry: ProvenEntry): Record<string, unknown> {
  return { [entry.entryId]: encodeCreated(entry) };
}

function encodeCreated({ body, integratedTime, logId, logIndex, ...entry }: ProvenEntry) {
  const { proof, checkpoint } = entry;
  return {
    body,
    integratedTime,
    logID: logId,
    logIndex,
    verification: {
      inclusionProof: {
        checkpoint: decodeNote(checkpoint.note),
        hashes: proof.path.map(encodeHex),
        logIndex: Number(proof.index),
        rootHash: encodeHex(checkpoint.head.root),
        treeSize: Number(proof.size),
      },
      signedEntryTimestamp: encodeBase64(entry.signedEntryTimestamp),
    },
  };
}

/** A signed note is UTF-8 text. */
export function decodeNote(note: Uint8Array): string {
  return new TextDecoder().decode(note);
}
