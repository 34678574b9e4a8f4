const string = { type: "string" };
const strings = { type: "array", items: string };
const decimal = { type: "string", pattern: "^[0-9]+$" };
const hex = { type: "string", pattern: "^[0-9a-f]*$" };
const base64 = { type: "string", contentEncoding: "base64" };
const time = { type: "string", format: "date-time" };
const count = { type: "integer", minimum: 0 };
const boolean = { type: "boolean" };

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const list = (items: object) => ({ type: "array", items });

/** An object whose members are all there, but for those whose names end in `?`. */
function object(members: Readonly<Record<string, object>>) {
  const names = Object.keys(members);
  return {
    type: "object",
    required: names.filter((name) => !name.endsWith("?")),
    properties: Object.fromEntries(names.map((name) => [name.replace(/\?$/, ""), members[name]])),
  };
}

export function responses(schema: string, mayMiss = false) {
  const error = (description: string) => ({ description, content: { "application/json": { schema: ref("Error") } } });
  return {
    200: { description: "OK", content: { "application/json": { schema: ref(schema) } } },
    400: error("A parameter is not what it should be; the message begins with its name."),
    ...(mayMiss && { 404: error("There is none.") }),
    503: error("Ask again later."),
  };
}

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
    results: list(ref("Entry")),
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
      shards: list(object({ origin: string, size: decimal, root: hex, first: decimal })),
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
    activity: list(object({ day: { type: "string", format: "date" }, count })),
    completeTo: list(completeTo),
    "incomplete?": incomplete,
  }),
};
