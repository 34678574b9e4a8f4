import { type ApiPart, query, responses } from "@chancery/service";
import { ENTRY_KIND_NAMES } from "../../domain/entries/entry-kind-names.ts";
import { FILTER_NAMES, MAX_VALUE_LENGTH } from "../../domain/search/condition.ts";
import { INTERVALS } from "../../domain/search/growth.ts";
import { schemas } from "./openapi-schemas.ts";
import { DEFAULT_LIMIT, LOG_NAMES, MAX_LIMIT, MAX_VALUES } from "./search-parameters.ts";

const text = { type: "string", minLength: 1, maxLength: MAX_VALUE_LENGTH };

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  digest:
    "`<algorithm>:<digest>`, or SHA-1, SHA-256, SHA-384 or SHA-512 in hexadecimal (40 digits: a `gitCommit` too): of the artifact, payload or envelope, or of a subject, a material (SLSA v0.2) or a dependency (v1, the first 4,096) of an attestation.",
  image:
    "`<repository>@sha256:<digest>`, or the digest alone: of an image that cosign signed or attested. Signatures of cosign 2 need the repository, and such with annotations of the signer's own are found by what was signed alone, as are attestations in the v2 log.",
  key: "SHA-256 of the SubjectPublicKeyInfo in hexadecimal, or PEM of the key or of a certificate with it.",
  san: "A subject alternative name of the signer's certificate.",
  sanPrefix: "What such a name begins with.",
  sanGlob:
    "`*` stands for any characters, `?` for one. Begins with three characters that stand for themselves, or ends with a domain, which is then that of the name. At most 16 `*`, and three such patterns. A name of more than 2,048 characters matches none.",
  sanDomain: "Domain of an e-mail address, host of a URI, or a DNS name; and all below it.",
  issuer: "The OIDC issuer that vouched for the signer.",
  kind: `One of ${ENTRY_KIND_NAMES.join(", ")}.`,
  predicateType: "Of an in-toto attestation.",
  subjectDigest: "Of a subject of an attestation, written as `digest`.",
  subjectName: "Of a subject of an attestation.",
};

/** May be repeated, each time with one value. */
const repeated = (name: string, items: object, description: string) => ({
  ...query(name, { type: "array", maxItems: MAX_VALUES, items }, description),
  style: "form",
  explode: true,
});
const time = { type: "string", format: "date-time" };

const filters = FILTER_NAMES.map((name) =>
  repeated(name, text, DESCRIPTIONS[name] ?? `Fulcio's certificate extension ${name}.`),
);

const logParameter = (names: readonly string[]) => ({
  name: "log",
  in: "path",
  required: true,
  schema: { type: "string" },
  description: names.join(", "),
});

/** The logs' part of `/api/chancery/v1`. */
export const searchApi: ApiPart = {
  paths: {
    "/api/chancery/v1/search": {
      get: {
        operationId: "search",
        summary: "Entries of both logs",
        description:
          "A filter that is repeated asks for any of its values, different ones for all of them. With a number from 2 to 20 behind its name it is one more that has to hold as well: `san=a&san.2=b` asks for entries that have both, `digest=a&digest=b&digest.2=c` for those that have `c` and one of the others. Not so `log`, `from` and `to`.",
        parameters: [
          ...filters,
          repeated("log", { enum: LOG_NAMES }, "Only these logs."),
          query("from", time, "Logged at this time or later."),
          query("to", time, "Logged before this time."),
          query("order", { enum: ["newest", "oldest"], default: "newest" }, "By time."),
          query(
            "limit",
            { type: "integer", minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT },
            "Results in an answer.",
          ),
          query("cursor", { type: "string" }, "Of the previous answer to the same question: its next page."),
        ],
        responses: responses("SearchAnswer"),
      },
    },
    "/api/chancery/v1/entries/{log}/{entry}": {
      get: {
        operationId: "getEntry",
        summary: "One entry and what proves it",
        parameters: [
          logParameter(LOG_NAMES),
          { name: "entry", in: "path", required: true, schema: { type: "string" }, description: "Index, or entry ID." },
        ],
        responses: responses("EntryDetail", true),
      },
    },
    "/api/chancery/v1/logs": {
      get: { operationId: "getLogs", summary: "All logs, the CT log too", responses: responses("Logs") },
    },
    "/api/chancery/v1/logs/{log}/growth": {
      get: {
        operationId: "getGrowth",
        summary: "How a log grew",
        parameters: [
          logParameter([...LOG_NAMES, "ctlog/<shard>"]),
          query("from", time, "The first point is the start of its interval. Thirty intervals back if not given."),
          query("to", time, "The last point. Now if not given."),
          query("interval", { enum: INTERVALS, default: "day" }, "Between points, in UTC; weeks begin on Monday."),
        ],
        responses: responses("Growth", true),
      },
    },
    "/api/chancery/v1/identities": {
      get: {
        operationId: "getIdentity",
        summary: "What an identity signed, in sums over its newest 10,000 entries",
        parameters: [
          { ...query("san", text, "The name, whole."), required: true },
          query("issuer", text, "Only as vouched for by this issuer."),
        ],
        responses: responses("Identity"),
      },
    },
  },
  schemas,
};

/** OpenAPI 3.1 of the parts together. */
export function openApi(parts: readonly ApiPart[]) {
  return {
    openapi: "3.1.0",
    info: {
      title: "Chancery: what was logged and issued, and what the auditor found",
      version: "1",
      description:
        "Of the search: repeating a parameter asks for any of its values, different parameters for all of them, and so does a number behind a filter's name (`san=a&san.2=b`). Letter case carries no meaning. An answer with a cursor and few or no results has looked at as many entries as one request may: go on with the cursor.",
    },
    paths: Object.assign({}, ...parts.map(({ paths }) => paths)) as ApiPart["paths"],
    components: { schemas: Object.assign({}, ...parts.map((part) => part.schemas)) as ApiPart["schemas"] },
  };
}
