import { Duplicate, Malformed } from "@chancery/fault";
import type { GrpcService } from "@chancery/service";
import type { ProposalPolicy } from "../domain/judge-proposal.ts";
import { Turns } from "../domain/turns.ts";
import { API_VERSION, KIND } from "../domain/v2/hashedrekord.ts";
import { judgeRequest } from "../domain/v2/judge-request.ts";
import type { LoggedV2Entry, RekorV2Log } from "../domain/v2/rekor-v2-log.ts";
import { MAX_REQUEST_BYTES } from "../http/v2/create-entry-request.ts";
import { alreadyThere, DUPLICATE_HEADER } from "../http/v2/duplicate.ts";
import { readCreateEntryMessage } from "./create-entry-message.ts";

/** `dev.sigstore.rekor.v2.Rekor`: the calls of the HTTP API, without the gateway. */
export function rekorV2Grpc(log: RekorV2Log, policy: ProposalPolicy): GrpcService {
  const turns = new Turns();
  return {
    name: "dev.sigstore.rekor.v2.Rekor",
    proto: new URL("../../proto/rekor_v2.proto", import.meta.url),
    messageLimit: MAX_REQUEST_BYTES,
    logReads: ["GetTile", "GetEntryBundle", "GetCheckpoint"],
    methods: {
      CreateEntry: async (message, call) => {
        const { entry, duplicate } = await log.create(call.caller, async () => {
          await turns.next();
          return await judgeRequest(readCreateEntryMessage(message), policy);
        });
        const { index } = entry.proof;
        if (!duplicate) return logEntryMessage(entry);
        call.setHeader(DUPLICATE_HEADER, String(index));
        throw new Duplicate(alreadyThere(index));
      },
      GetTile: async ({ L, N }) =>
        httpBody("application/octet-stream", await log.tileResource(`tile/${String(L)}/${place(N)}`)),
      GetEntryBundle: async ({ N }) =>
        httpBody("application/octet-stream", await log.tileResource(`tile/entries/${place(N)}`)),
      GetCheckpoint: async () => httpBody("text/plain; charset=utf-8", await log.checkpoint()),
    },
  };
}

function place(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new Malformed("N: is required");
  return value;
}

function httpBody(contentType: string, data: Uint8Array): object {
  return { contentType, data };
}

function logEntryMessage({ logId, body, proof, checkpoint }: LoggedV2Entry): object {
  const logIndex = String(proof.index);
  return {
    logIndex,
    logId: { keyId: logId },
    kindVersion: { kind: KIND, version: API_VERSION },
    inclusionProof: {
      logIndex,
      rootHash: checkpoint.head.root,
      treeSize: String(proof.size),
      hashes: proof.path,
      checkpoint: { envelope: new TextDecoder().decode(checkpoint.note) },
    },
    canonicalizedBody: body,
  };
}
