import { type Answer, ask } from "./answer.ts";
import { flag, list, number, optional, shape, type Shaped, text, texts } from "./shape.ts";

const subjectName = shape({ type: optional(text), value: text });

const CERTIFICATE = {
  serial: text,
  issuedAt: text,
  notBefore: optional(text),
  notAfter: optional(text),
  issuer: optional(text),
  subject: optional(text),
  sans: list(subjectName),
  extensions: optional(texts),
  keyHash: text,
  unreadable: optional(text),
  /** Which member of the ledger's row its certificate denies. */
  contradicts: optional(text),
  /** What a policy in dry run would have said. */
  wouldRefuse: optional(text),
};
const certificate = shape(CERTIFICATE);
export type IssuedCertificate = Shaped<typeof certificate>;

const certificates = shape({ results: list(certificate), cursor: optional(text) });
export type IssuedCertificates = Shaped<typeof certificates>;

const refusal = shape({
  time: text,
  code: text,
  reason: text,
  issuer: optional(text),
  subject: optional(text),
  count: number,
});
const refusals = shape({ results: list(refusal), cursor: optional(text) });
export type Refusals = Shaped<typeof refusals>;

const issuers = shape({ different: number, top: list(shape({ issuer: optional(text), count: number })) });
const summary = shape({
  from: text,
  to: text,
  certificates: shape({
    count: number,
    complete: flag,
    countedFrom: optional(text),
    issuers,
    identities: shape({
      different: number,
      top: list(shape({ value: text, count: number, first: text, last: text })),
    }),
  }),
  refusals: shape({
    count: number,
    complete: flag,
    issuers,
    reasons: list(shape({ code: text, count: number })),
  }),
  days: list(shape({ day: text, certificates: number, refusals: number })),
  /** Not told where the ledger's process does not know the signature logs. */
  unused: optional(certificates),
});
export type IssuanceSummary = Shaped<typeof summary>;

export function fetchIssuanceSummary(days: number, signal?: AbortSignal): Promise<Answer<IssuanceSummary>> {
  const from = new Date(Date.now() - days * 86_400_000).toISOString();
  return ask("/issuance/summary", summary, { from: `${from.slice(0, 16)}:00Z` }, signal);
}

const withPem = shape({ ...CERTIFICATE, pem: optional(text) });

/** By its serial number in hexadecimal. */
export function fetchCertificate(serial: string, signal?: AbortSignal): Promise<Answer<Shaped<typeof withPem>>> {
  return ask(`/certificates/${encodeURIComponent(serial)}`, withPem, {}, signal);
}

export function fetchCertificates(
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Answer<IssuedCertificates>> {
  return ask("/certificates", certificates, { limit: "25", cursor }, signal);
}

export function fetchRefusals(cursor: string | undefined, signal?: AbortSignal): Promise<Answer<Refusals>> {
  return ask("/refusals", refusals, { limit: "25", cursor }, signal);
}
