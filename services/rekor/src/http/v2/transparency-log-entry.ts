import { encodeBase64 } from "@chancery/encoding";
import { API_VERSION, KIND } from "../../domain/v2/hashedrekord.ts";
import type { LoggedV2Entry } from "../../domain/v2/rekor-v2-log.ts";

/**
 * dev.sigstore.rekor.v1.TransparencyLogEntry in ProtoJSON, every member written. It has neither a time nor a promise:
 * when it was logged is for a timestamp authority to say.
 */
export function encodeTransparencyLogEntry({ logId, body, proof, checkpoint }: LoggedV2Entry) {
  const logIndex = String(proof.index);
  return {
    logIndex,
    logId: { keyId: encodeBase64(logId) },
    kindVersion: { kind: KIND, version: API_VERSION },
    integratedTime: "0",
    inclusionPromise: null,
    inclusionProof: {
      logIndex,
      rootHash: encodeBase64(checkpoint.head.root),
      treeSize: String(proof.size),
      hashes: proof.path.map(encodeBase64),
      checkpoint: { envelope: new TextDecoder().decode(checkpoint.note) },
    },
    canonicalizedBody: encodeBase64(body),
  };
}
