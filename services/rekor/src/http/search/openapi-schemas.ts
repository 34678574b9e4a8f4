import { list, object, schema, schemaOf } from "@chancery/service";

const { string, strings, decimal, hex, base64, time, day, count, boolean } = schema;

const completeTo = object({ log: string, origin: string, size: decimal, root: hex });
const incomplete = list(
  object({ log: string, origin: string, size: decimal, root: hex, unindexed: decimal, remedy: string }),
);
const tallies = list(object({ value: string, count }));

const entry = {
  log: { enum: ["rekor", "rekor-v2"] },
  logIndex: decimal,
  entryId: hex,
  time,
  kind: string,
  apiVersion: string,
  digests: strings,
  signers: list(
    object({
      format: { enum: ["x509", "pgp", "minisign", "ssh", "tuf"] },
      keyFingerprint: hex,
      "algorithm?": string,
      "certificate?": object({
        sans: list(object({ type: { enum: ["email", "uri", "dns", "other"] }, value: string })),
        "issuer?": string,
        serial: hex,
        notBefore: time,
        notAfter: time,
        extensions: { type: "object", additionalProperties: string },
      }),
    }),
  ),
  "attestation?": object({
    "predicateType?": string,
    subjects: list(object({ "name?": string, digests: strings })),
  }),
};

export const schemas = {
  Error: object({ code: string, message: string }),
  Entry: object(entry),
  SearchAnswer: object({
    results: list(schemaOf("Entry")),
    "cursor?": string,
    complete: list(completeTo),
    "incomplete?": incomplete,
  }),
  EntryDetail: object({
    ...entry,
    body: base64,
    "attestationPayload?": base64,
    inclusionProof: object({ logIndex: decimal, treeSize: decimal, rootHash: hex, hashes: list(hex) }),
    checkpoint: string,
    "signedEntryTimestamp?": base64,
    "integratedTime?": { type: "integer" },
    "bundle?": { type: "object" },
  }),
  Logs: list(
    object({
      log: string,
      origin: string,
      publicKey: string,
      keyId: hex,
      logId: hex,
      size: decimal,
      root: hex,
      time,
      checkpoint: string,
      frozen: boolean,
      readOnly: boolean,
      shards: list(
        object({ origin: string, "treeId?": decimal, publicKey: string, size: decimal, root: hex, first: decimal }),
      ),
    }),
  ),
  Growth: object({ points: list(object({ time, size: decimal })) }),
  Identity: object({
    san: string,
    count,
    complete: boolean,
    "first?": time,
    "last?": time,
    issuers: strings,
    repositories: tallies,
    kinds: tallies,
    activity: list(object({ day: day, count })),
    completeTo: list(completeTo),
    "incomplete?": incomplete,
  }),
};
