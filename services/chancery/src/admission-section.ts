import { z } from "zod";

/* The part of the configuration's `chancery.rekor.admission` that stands under a log's name. */

export const text = z.string().min(1);
/** A pattern, or a list of them of which one must match. */
export const patterns = z.union([text, z.array(text).min(1)], "must be a text or a list of texts");

/** An issuer's keys. With neither of the two, it is one of the CA's, and its keys are those that the CA has. */
export const KEYS = {
  issuer: text,
  "jwks-file": text.optional(),
  jwks: z.union([text, z.record(z.string(), z.unknown())], "must be a JWK set").optional(),
};

const TOKENS = {
  ...KEYS,
  audience: text,
  claims: z.record(z.string(), patterns).optional(),
};
const CERTIFICATES = { "ca-cert": text, names: patterns.optional() };
const CALLERS = {
  tokens: z.array(z.strictObject(TOKENS)).min(1).optional(),
  certificates: z.array(z.strictObject(CERTIFICATES)).min(1).optional(),
};
const SIGNERS = { "own-ca": z.boolean().optional(), keys: z.array(text).min(1).optional() };
const ADMISSION = {
  callers: z.strictObject(CALLERS).optional(),
  signers: z.strictObject(SIGNERS).optional(),
};

export const admissionSection = z.strictObject(ADMISSION);
export type AdmissionSection = z.infer<typeof admissionSection>;
export type TokenSection = NonNullable<NonNullable<AdmissionSection["callers"]>["tokens"]>[number];

/** What may stand where, for the complaint about a key that may not. */
export const ADMISSION_KEYS = {
  "rekor.admission.*": ADMISSION,
  "rekor.admission.*.callers": CALLERS,
  "rekor.admission.*.callers.tokens.*": TOKENS,
  "rekor.admission.*.callers.certificates.*": CERTIFICATES,
  "rekor.admission.*.signers": SIGNERS,
} as const;
