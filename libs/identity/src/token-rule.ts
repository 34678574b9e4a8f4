import { Fault, Forbidden, Unauthenticated } from "@chancery/fault";
import { claimAt, type ClaimPath, scalarText } from "./claim-path.ts";
import { type Glob, globMatches } from "./glob.ts";
import { assertAudience, assertTimes, parseIdentityToken, type UnverifiedToken } from "./identity-token.ts";
import type { TokenKeys } from "./token-keys.ts";

/** Whose tokens are accepted. */
export interface TokenRule {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: TokenKeys;
  /** All MUST match. */
  readonly claims: readonly ClaimRule[];
}

/** A claim, or one of its elements where it is a list, is one of these. */
export interface ClaimRule {
  /** As the configuration writes it. */
  readonly name: string;
  readonly path: ClaimPath;
  readonly globs: readonly Glob[];
}

/** Seconds; as the CA's. A leaked token is good for no longer, whatever its issuer thinks. */
const LONGEST_LIFE = 24 * 60 * 60;

/**
 * The token, if one of the rules accepts it. Unauthenticated with the reason if it is none of a configured issuer's
 * that holds now; Forbidden if it is, and its claims are not among those that may. Nothing of the token is repeated.
 *
 * In the order of cost: a key is asked for after everything that anyone could write has been looked at.
 */
export async function acceptToken(compact: string, rules: readonly TokenRule[], now: number): Promise<UnverifiedToken> {
  const token = authenticated(() => parseIdentityToken(compact));
  const ofIssuer = rules.filter(({ issuer }) => issuer === token.issuer);
  if (ofIssuer.length === 0) throw new Unauthenticated("the token's issuer is not accepted here");
  const forAudience = ofIssuer.filter(({ audience }) => hasAudience(token, audience));
  if (forAudience.length === 0) throw new Unauthenticated("the token is for another audience");
  authenticated(() => assertTimes(token, now / 1000, LONGEST_LIFE));
  const signed: TokenRule[] = [];
  for (const rule of forAudience) if (await rule.keys.verify(token)) signed.push(rule);
  if (signed.length === 0) throw new Unauthenticated("the token's signature is not one of its issuer's");
  const reasons = signed.map(({ claims }) => claims.find((rule) => !claimMatches(token, rule))?.name);
  if (reasons.includes(undefined)) return token;
  throw new Forbidden(`claims of the token are not among those that are let in: ${[...new Set(reasons)].join(", ")}`);
}

/** Whether the claim is there and, itself or one of its elements, matches. */
export function claimMatches({ claims }: UnverifiedToken, { path, globs }: ClaimRule): boolean {
  const value = claimAt(claims, path);
  const values = Array.isArray(value) ? value : [value];
  return values.some((each) => {
    const text = scalarText(each);
    return text !== undefined && globs.some((glob) => globMatches(glob, text));
  });
}

function hasAudience(token: UnverifiedToken, audience: string): boolean {
  try {
    assertAudience(token, audience);
    return true;
  } catch {
    return false;
  }
}

function authenticated<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (cause instanceof Fault) throw new Unauthenticated(cause.message, { cause });
    throw cause;
  }
}
