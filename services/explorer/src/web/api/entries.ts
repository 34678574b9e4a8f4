import { type Answer, ask } from "./answer.ts";
import { anything, decimal, list, number, oneOf, optional, shape, type Shaped, text, texts } from "./shape.ts";

export const LOG_NAMES = ["rekor", "rekor-v2"] as const;
export type LogName = (typeof LOG_NAMES)[number];

const certificate = shape({
  sans: list(shape({ type: text, value: text })),
  issuer: optional(text),
  serial: optional(text),
  notBefore: optional(text),
  notAfter: optional(text),
  extensions: optional(texts),
});

const listed = {
  log: oneOf(...LOG_NAMES),
  logIndex: decimal,
  entryId: text,
  time: optional(text),
  kind: text,
  apiVersion: text,
  digests: list(text),
  signers: list(
    shape({ keyFingerprint: optional(text), algorithm: optional(text), certificate: optional(certificate) }),
  ),
  attestation: optional(
    shape({
      predicateType: optional(text),
      subjects: optional(list(shape({ name: optional(text), digests: optional(list(text)) }))),
    }),
  ),
};

export const listedEntry = shape(listed);
export type ListedEntry = Shaped<typeof listedEntry>;

export const provenEntry = shape({
  ...listed,
  body: text,
  attestationPayload: optional(text),
  inclusionProof: shape({ logIndex: decimal, treeSize: decimal, rootHash: text, hashes: list(text) }),
  checkpoint: text,
  signedEntryTimestamp: optional(text),
  integratedTime: optional(number),
  bundle: optional(anything),
});

/** An entry with all that it takes to check it. Nothing in it is believed before that. */
export type ProvenEntry = Shaped<typeof provenEntry>;

/** By index or by entry ID. */
export function fetchEntry(log: LogName, id: string, signal?: AbortSignal): Promise<Answer<ProvenEntry>> {
  return ask(`/entries/${log}/${encodeURIComponent(id.toWellFormed())}`, provenEntry, {}, signal);
}
