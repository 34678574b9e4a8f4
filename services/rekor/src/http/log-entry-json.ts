import { encodeBase64, encodeHex } from "@chancery/encoding";
import type { ProvenEntry } from "../domain/rekor-log.ts";
import { aroundNote, checkpointTexts, decodeNote } from "./checkpoint-text.ts";

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

/** The answer to a write: the same in JSON, as bytes. What it is made of has nothing that would have to be escaped. */
export function writeCreatedEntry({ body, integratedTime, logId, logIndex, ...entry }: ProvenEntry): Uint8Array {
  const { entryId, proof, checkpoint, signedEntryTimestamp } = entry;
  const text = textOf(checkpoint);
  const hashes = proof.path.map((hash) => `"${text.hash(hash)}"`).join(",");
  return aroundNote(
    `{"${entryId}":{"body":"${body}","integratedTime":${integratedTime},"logID":"${logId}","logIndex":${logIndex},"verification":{"inclusionProof":{"checkpoint":`,
    text.note,
    `,"hashes":[${hashes}],"logIndex":${proof.index},"rootHash":"${text.root}","treeSize":${proof.size}},"signedEntryTimestamp":"${signedEntryTimestamp}"}}}`,
  );
}

const textOf = checkpointTexts(encodeHex);

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
      signedEntryTimestamp: entry.signedEntryTimestamp,
    },
  };
}
