import { type ApiPart, list, object, query, responses, schema, schemaOf } from "@chancery/service";
import { REFUSAL_CODES } from "../domain/refusal-code.ts";

const { string, decimal, hex, time, day, count, boolean } = schema;

const san = { type: { enum: ["email", "uri", "dns", "ip", "username"] }, value: string };
const certificate = {
  serial: hex,
  issuedAt: time,
  issuer: string,
  subject: string,
  sans: list(object(san)),
  "notBefore?": time,
  "notAfter?": time,
  "extensions?": { type: "object", additionalProperties: string },
  "ctLog?": hex,
  "contradicts?": {
    ...string,
    description:
      "The member of this row that the certificate contradicts: somebody changed it. The issuer also where it had an issuer-claim before the last start, and chancery.fulcio.once-federated does not name it.",
  },
  "unreadable?": { ...string, description: "Why the certificate cannot be read." },
  keyHash: hex,
  certificateHash: hex,
  claimsHash: hex,
  "ctIndex?": decimal,
  "wouldRefuse?": string,
};
const issuers = object({ different: count, top: list(object({ "issuer?": string, count })) });
const counted = { count, complete: boolean, "countedFrom?": time, issuers };

const range = [query("from", time, "At this time or later."), query("to", time, "Before this time.")];
const cursor = query("cursor", string, "Of the previous answer to the same question: its next page.");
const page = [
  ...range,
  query("order", { enum: ["newest", "oldest"], default: "newest" }, "By time."),
  query("limit", { type: "integer", minimum: 1, maximum: 500, default: 50 }, "Results in an answer."),
  cursor,
];
const issuer = query("issuer", string, "`iss` of the token.");
const subject = query("subject", string, "`sub` of the token.");

/** What was issued and refused: the authority's part of `/api/chancery/v1`. */
export const issuanceApi: ApiPart = {
  paths: {
    "/api/chancery/v1/certificates": {
      get: {
        operationId: "getCertificates",
        summary: "Certificates of the ledger",
        parameters: [
          query("san", string, "The name in it, whole."),
          issuer,
          subject,
          query("serial", string, "In hexadecimal."),
          query("keyHash", string, "SHA-256 of the public key, in hexadecimal."),
          ...page,
        ],
        responses: responses("Certificates"),
      },
    },
    "/api/chancery/v1/certificates/{serial}": {
      get: {
        operationId: "getCertificate",
        summary: "One certificate, with its PEM",
        parameters: [{ name: "serial", in: "path", required: true, schema: string, description: "In hexadecimal." }],
        responses: responses("CertificateWithPem", true),
      },
    },
    "/api/chancery/v1/refusals": {
      get: {
        operationId: "getRefusals",
        summary: "Requests that got no certificate",
        parameters: [issuer, subject, query("code", { enum: REFUSAL_CODES }, "Why."), ...page],
        responses: responses("Refusals"),
      },
    },
    "/api/chancery/v1/issuance/summary": {
      get: {
        operationId: "getIssuanceSummary",
        summary: "How many, by issuer, identity, reason and day; and certificates whose key no log has seen",
        parameters: range,
        responses: responses("IssuanceSummary"),
      },
    },
    "/api/chancery/v1/issuance/unused": {
      get: {
        operationId: "getUnusedCertificates",
        summary: "The pages after the one in the summary",
        parameters: [...range, cursor],
        responses: responses("Certificates", true),
      },
    },
  },
  schemas: {
    Certificate: object(certificate),
    CertificateWithPem: object({ ...certificate, pem: string }),
    Certificates: object({ results: list(schemaOf("Certificate")), "cursor?": string }),
    Refusal: object({
      time,
      code: { enum: REFUSAL_CODES },
      reason: string,
      "issuer?": string,
      "subject?": string,
      "rule?": string,
      count,
    }),
    Refusals: object({ results: list(schemaOf("Refusal")), "cursor?": string }),
    IssuanceSummary: object({
      from: time,
      to: time,
      certificates: object({
        ...counted,
        identities: object({ different: count, top: list(object({ ...san, count, first: time, last: time })) }),
      }),
      refusals: object({ ...counted, reasons: list(object({ code: { enum: REFUSAL_CODES }, count })) }),
      days: list(object({ day, certificates: count, refusals: count })),
      "unused?": schemaOf("Certificates"),
    }),
  },
};
