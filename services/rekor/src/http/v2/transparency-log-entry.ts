import { encodeBase64 } from "@chancery/encoding";
import { API_VERSION, KIND } from "../../domain/v2/hashedrekord.ts";
import type { LoggedV2Entry } from "../../domain/v2/rekor-v2-log.ts";
import { aroundNote, checkpointTexts } from "../checkpoint-text.ts";

/**
 * dev.sigstore.rekor.v1.TransparencyLogEntry in ProtoJSON, every member written, as bytes. It has neither a time nor a promise:
 * when it was logged is for a timestamp authority to say.
 */
export function writeTransparencyLogEntry({ logId, body, proof, checkpoint }: LoggedV2Entry): Uint8Array {
  const text = textOf(checkpoint);
  const hashes = proof.path.map((hash) => `"${text.hash(hash)}"`).join(",");
  return aroundNote(
    `{"logIndex":"${proof.index}","logId":{"keyId":"${encodeBase64(logId)}"},"kindVersion":${KIND_VERSION},"integratedTime":"0","inclusionPromise":null,` +
      `"inclusionProof":{"logIndex":"${proof.index}","rootHash":"${text.root}","treeSize":"${proof.size}","hashes":[${hashes}],"checkpoint":{"envelope":`,
    text.note,
    `}},"canonicalizedBody":"${encodeBase64(body)}"}`,
  );
}

const KIND_VERSION = JSON.stringify({ kind: KIND, version: API_VERSION });
const textOf = checkpointTexts(encodeBase64);
