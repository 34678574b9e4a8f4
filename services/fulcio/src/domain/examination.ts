import { Unverified } from "@chancery/fault";
import { assertAudience, assertTimes, parseIdentityToken, type UnverifiedToken } from "@chancery/identity";
import { encodeSubjectAlternativeName } from "@chancery/x509";
import type { VerifiedClaims } from "./claims.ts";
import type { IssuerKeys } from "./issuer-keys.ts";
import type { IssuerPool, MatchedIssuer } from "./issuer-pool.ts";
import { isSignedByIssuer } from "./issuer-signatures.ts";
import { judge, type Verdict } from "./policy/issuance-policy.ts";
import type { Principal } from "./principal.ts";
import type { TokenCheck } from "./refusal-code.ts";

/** What tokens are judged by. */
export interface Examiner {
  readonly pool: Pick<IssuerPool, "match">;
  readonly keys: IssuerKeys;
  /** Seconds from `iat` to `exp` beyond which a token is refused. */
  readonly longestTokenLife: number;
  readonly clock: () => number;
}

/** What has become known of a token, check by check. */
export interface Findings {
  token?: UnverifiedToken;
  issuer?: MatchedIssuer;
  /** Set once all checks up to the signature are done. */
  claims?: VerifiedClaims;
  principal?: Principal;
  verdict?: Verdict;
}

/** Runs the checks for those who want to know how each of them ends. To issue, the first failure ends all. */
export interface Checks {
  readonly findings: Findings;
  /** Finds what later checks need. MUST return what `work` returns or throw what it throws. */
  find<T>(check: TokenCheck, work: () => T): T;
  /** A condition. MUST NOT let a certificate be issued when it throws or rejects. */
  hold<T extends void | Promise<void>>(check: TokenCheck, condition: () => T): T;
}

/**
 * From a token to the principal that its certificate will name. The one place that decides this, for issuing
 * and for explaining.
 *
 * In the order of cost, and of what an attacker can make us do: nothing is fetched for a token that cannot pass.
 */
export async function examineToken(compact: string, examiner: Examiner, checks: Checks): Promise<Principal> {
  const { pool, keys, longestTokenLife, clock } = examiner;
  const { findings } = checks;
  const token = parseIdentityToken(compact, checks);
  findings.token = token;
  const issuer = checks.find("issuer-unknown", () => pool.match(token.issuer));
  findings.issuer = issuer;
  checks.hold("audience", () => assertAudience(token, issuer.settings.clientId));
  checks.hold("token-times", () => assertTimes(token, clock() / 1000, longestTokenLife));
  await checks.hold("token-signature", () => assertSigned(token, issuer, keys));
  const claims = { issuer: token.issuer, subject: token.subject, all: token.claims };
  findings.claims = claims;
  const principal = checks.find("identity", () => nameable(issuer.toPrincipal(claims)));
  findings.principal = principal;
  checks.hold("policy", () => {
    const { policy } = issuer.settings;
    if (policy === undefined) return;
    findings.verdict = judge(policy, claims);
    if (findings.verdict.outcome === "refused") throw new Unverified(findings.verdict.reason);
  });
  return principal;
}

/** A name that no certificate can hold is the token's fault, and found out before there is a certificate to be made. */
function nameable(principal: Principal): Principal {
  encodeSubjectAlternativeName(principal.san);
  return principal;
}

async function assertSigned(token: UnverifiedToken, issuer: MatchedIssuer, keys: IssuerKeys): Promise<void> {
  if (await isSignedByIssuer(token, issuer, keys)) return;
  throw new Unverified("the token's signature is not one of its issuer's");
}
