import { SHAPE_CHECKS } from "@chancery/identity";
import { Fault, Unavailable, Unsupported } from "@chancery/fault";
import { AuthorityFailure, type REFUSAL, refusalKind } from "./refusal.ts";

/** The checks that a token goes through, in this order. */
export const TOKEN_CHECKS = [
  ...SHAPE_CHECKS,
  "issuer-unknown",
  "audience",
  "token-times",
  "token-signature",
  "identity",
  "policy",
] as const;
export type TokenCheck = (typeof TOKEN_CHECKS)[number];

/** Where a request may fail: its token, the proof that its sender holds the key, or our own side. */
export type Stage = TokenCheck | "proof" | "rate" | "certificate" | "ledger";

/**
 * Why a request got no certificate. Auditors count by it, so a code never changes its meaning: a check's name
 * stands for its failure.
 */
export const REFUSAL_CODES = [
  ...TOKEN_CHECKS,
  /** Its keys could not be had; the token may be good. */
  "issuer-unavailable",
  "public-key",
  "insecure-key",
  "key-algorithm",
  "proof-of-possession",
  "certificate-request",
  /** As many as this identity may have were issued already. */
  "rate",
  "ct-log",
  "authority",
  "ledger",
  /** A fault of ours. */
  "internal",
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

const OF_REFUSALS: Partial<Record<keyof typeof REFUSAL, RefusalCode>> = {
  publicKey: "public-key",
  insecureKey: "insecure-key",
  signature: "proof-of-possession",
  certificateRequest: "certificate-request",
  signatureAlgorithm: "key-algorithm",
  ctLog: "ct-log",
  authority: "authority",
};

export function refusalCode(stage: Stage, error: unknown): RefusalCode {
  const kind = refusalKind(error);
  const known = kind === undefined ? undefined : OF_REFUSALS[kind];
  if (known !== undefined) return known;
  if (!(error instanceof Fault) && !(error instanceof AuthorityFailure)) return "internal";
  if (stage === "token-signature" && error instanceof Unavailable) return "issuer-unavailable";
  if (stage === "proof") return error instanceof Unsupported ? "key-algorithm" : "proof-of-possession";
  return stage === "certificate" ? "authority" : stage;
}
