import type { JsonObject, JsonValue } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

/** The claims of a token whose signature, audience and times have been verified. */
export interface VerifiedClaims {
  /** `iss`, equal to the configured URL or matched by the configured pattern. */
  readonly issuer: string;
  /** `sub`. */
  readonly subject: string;
  readonly all: JsonObject;
}

/** Longer than any real workflow reference by far; keeps a certificate small. */
const MAX_CLAIM_CHARACTERS = 4096;

/** A claim that goes into the certificate: it MUST be there, a string, and not empty. */
export function claimText(claims: VerifiedClaims, name: string): string {
  const value = claims.all[name];
  if (value === undefined || value === "") throw new Malformed(`missing ${name} claim in ID token`);
  return plainText(value, name);
}

/** As {@link claimText}, but the claim may be absent, empty or, as GitLab writes what it does not know, null. */
export function optionalClaimText(claims: VerifiedClaims, name: string): string | undefined {
  const value = claims.all[name];
  return value === undefined || value === null || value === "" ? undefined : plainText(value, name);
}

/**
 * A NUL or a line break in an identity ends it early in a C string, in a log line or in a policy file:
 * what the verifier then compares is not what the issuer wrote.
 */
export function plainText(value: JsonValue, name: string): string {
  if (typeof value !== "string") throw new Malformed(`${name} claim is not a string`);
  if (value.length > MAX_CLAIM_CHARACTERS) {
    throw new Malformed(`${name} claim has more than ${MAX_CLAIM_CHARACTERS} characters`);
  }
  if (/\p{Cc}/u.test(value)) throw new Malformed(`${name} claim contains control characters`);
  return value;
}
