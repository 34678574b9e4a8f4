import { decodeBase64, decodeHex } from "@chancery/encoding";
import type { LogName, ProvenEntry } from "../api/entries.ts";

/** What is checked: an entry with its proof, from the server or from a file, in one form. */
export interface LoggedEntry {
  /** The canonical bytes, which the tree holds. */
  readonly body: Uint8Array;
  /** The log's name for it, where there is one: it ends in the leaf hash. */
  readonly entryId?: string;
  /** Where the one who asked asked for it. */
  readonly logIndex: bigint;
  /** Of a log of this server: each is one tree, so the proof's index is the entry's, and Rekor v1 promises a time. */
  readonly log?: LogName;
  readonly proof: {
    readonly index: bigint;
    readonly size: bigint;
    readonly root: Uint8Array;
    readonly path: readonly Uint8Array[];
  };
  readonly checkpoint: string;
  /** Rekor v1: seconds since 1970, and the signature over them; the key that a file says it is of, as hex. */
  readonly promise?: { readonly integratedTime: number; readonly signature: Uint8Array; readonly logId?: string };
  /** Kept beside the entry: the payload of a DSSE envelope. */
  readonly payload?: Uint8Array;
  /** Of a bundle's envelope, where it is known. */
  readonly payloadType?: string;
}

export function loggedEntry(answer: ProvenEntry): LoggedEntry {
  const { inclusionProof: proof, signedEntryTimestamp: promise, integratedTime, attestationPayload } = answer;
  return {
    body: decodeBase64(answer.body, "body"),
    entryId: answer.entryId,
    logIndex: BigInt(answer.logIndex),
    log: answer.log,
    proof: {
      index: BigInt(proof.logIndex),
      size: BigInt(proof.treeSize),
      root: decodeHex(proof.rootHash, "root hash"),
      path: proof.hashes.map((hash) => decodeHex(hash, "hash of the path")),
    },
    checkpoint: answer.checkpoint,
    ...(promise !== undefined && integratedTime !== undefined
      ? { promise: { integratedTime, signature: decodeBase64(promise, "promise") } }
      : {}),
    ...(attestationPayload === undefined ? {} : { payload: decodeBase64(attestationPayload, "attestation") }),
  };
}
