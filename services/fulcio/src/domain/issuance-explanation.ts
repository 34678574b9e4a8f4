import type { JsonObject, JsonValue } from "@chancery/encoding";
import { Fault } from "@chancery/fault";
import { type CertificatePreview, previewCertificate } from "./certificate-preview.ts";
import type { CiMetadata } from "./ci-metadata.ts";
import { type Checks, type Examiner, examineToken, type Findings } from "./examination.ts";
import type { IssuerPool } from "./issuer-pool.ts";
import { ciProvider } from "./issuers/ci-provider.ts";
import type { ConditionResult } from "./policy/condition-result.ts";
import { explainRule, type IssuancePolicy, matches, type Verdict } from "./policy/issuance-policy.ts";
import { TOKEN_CHECKS, type TokenCheck } from "./refusal-code.ts";

export interface CheckResult {
  readonly check: TokenCheck;
  /** Skipped: it was not asked for, or an earlier check found nothing to go on with. */
  readonly outcome: "passed" | "failed" | "skipped";
  readonly detail: string;
}

/** A claim that the issuer's type asked for. */
export interface ClaimRead {
  readonly name: string;
  readonly isPresent: boolean;
  /** What the configuration says in its place, where the token lacks it. */
  readonly default?: string;
}

export interface RuleResult {
  readonly name: string;
  readonly effect: "allow" | "deny";
  readonly matches: boolean;
  /** Left out where the claims are not known. */
  readonly condition?: ConditionResult;
}

export interface Explanation {
  readonly wouldIssue: boolean;
  readonly issuer: { readonly url: string; readonly key: string; readonly type: string } | undefined;
  readonly checks: readonly CheckResult[];
  readonly claims: readonly ClaimRead[];
  readonly policy: PolicyExplanation | undefined;
  /** What the client must sign with its key. */
  readonly challenge: string | undefined;
  readonly certificate: CertificatePreview | undefined;
}

export interface PolicyExplanation {
  readonly default: "allow" | "deny";
  readonly dryRun: boolean;
  readonly outcome: Verdict["outcome"];
  readonly decidedBy: string;
  readonly rules: readonly RuleResult[];
}

/**
 * What would become of a token, check by check, by the same code that issues; nothing is issued. A failure ends only
 * what cannot go on without it. Nothing of the token's signature is in the result.
 */
export async function explainIssuance(
  compact: string,
  examiner: Examiner,
  options: { readonly offline: boolean },
): Promise<Explanation> {
  const claims: ClaimRead[] = [];
  const observer = new Observer(options.offline);
  try {
    await examineToken(compact, { ...examiner, pool: watched(examiner.pool, claims) }, observer);
  } catch (error) {
    if (observer.failures.size === 0) throw error;
  }
  const { findings, failures } = observer;
  const { issuer, principal, verdict } = findings;
  const now = examiner.clock();
  return {
    wouldIssue: principal !== undefined && failures.size === 0,
    issuer: issuer && { url: issuer.url, key: issuer.settings.key, type: issuer.settings.type },
    checks: TOKEN_CHECKS.map((check) => observer.result(check, now)),
    claims,
    policy: issuer?.settings.policy && verdict && explainPolicy(issuer.settings.policy, verdict, findings),
    challenge: principal?.name,
    certificate: principal && (await previewCertificate(principal, now)),
  };
}

/** Lets each check end as it will, and remembers how. */
class Observer implements Checks {
  readonly findings: Findings = {};
  readonly failures = new Map<TokenCheck, Fault>();
  readonly #passed = new Set<TokenCheck>();
  readonly #offline: boolean;

  constructor(offline: boolean) {
    this.#offline = offline;
  }

  find<T>(check: TokenCheck, work: () => T): T {
    try {
      const found = work();
      this.#passed.add(check);
      return found;
    } catch (error) {
      this.#fail(check, error);
      throw error;
    }
  }

  hold<T extends void | Promise<void>>(check: TokenCheck, condition: () => T): T {
    if (check === "token-signature" && this.#offline) return undefined as T;
    try {
      const held = condition();
      if (held instanceof Promise)
        return held.then(
          () => this.#pass(check),
          (error: unknown) => this.#fail(check, error),
        ) as T;
      this.#pass(check);
    } catch (error) {
      this.#fail(check, error);
    }
    return undefined as T;
  }

  result(check: TokenCheck, now: number): CheckResult {
    const failure = this.failures.get(check);
    if (failure !== undefined)
      return {
        check,
        outcome: "failed",
        detail: [...reasons(failure), ...contrast(check, this.findings, now)].join(": "),
      };
    if (this.#passed.has(check)) return { check, outcome: "passed", detail: describe(check, this.findings, now) };
    const isLeftOut = check === "token-signature" && this.#offline && this.findings.issuer !== undefined;
    return { check, outcome: "skipped", detail: isLeftOut ? "offline: anyone may have made it" : "not reached" };
  }

  #pass(check: TokenCheck): void {
    this.#passed.add(check);
  }

  /** What is no fault is ours, and no explanation. */
  #fail(check: TokenCheck, error: unknown): void {
    if (!(error instanceof Fault)) throw error;
    this.failures.set(check, error);
  }
}

/** The operator reads them, so causes are named: why an issuer could not be asked. */
function reasons(error: Error): string[] {
  const { cause } = error;
  return cause instanceof Error && cause.message !== "" ? [error.message, ...reasons(cause)] : [error.message];
}

/** Between what a failed check wanted and what it got. */
function contrast(check: TokenCheck, { token, issuer }: Findings, now: number): string[] {
  if (check === "issuer-unknown" && token !== undefined) return [token.issuer];
  if (check === "token-times" && token !== undefined) return times(token.claims, now);
  if (check !== "audience" || token === undefined || issuer === undefined) return [];
  return [`${issuer.settings.clientId} is wanted, the token has ${JSON.stringify(token.claims["aud"] ?? null)}`];
}

/** As dates, and what they were held against: tokens have seconds since the epoch, which nobody reads. */
function times(claims: JsonObject, now: number): string[] {
  const dates = (["iat", "nbf", "exp"] as const).flatMap((name) => {
    const date = new Date(Number(claims[name]) * 1000);
    return typeof claims[name] === "number" && !Number.isNaN(date.getTime()) ? [`${name} ${date.toISOString()}`] : [];
  });
  return [[...dates, `now ${new Date(now).toISOString()}`].join(", ")];
}

function describe(check: TokenCheck, findings: Findings, now: number): string {
  const { token, issuer, verdict } = findings;
  // Its shape or its algorithm can be right and the token no token.
  if (token === undefined) return "as it should be";
  const settings = issuer?.settings;
  const details: Record<TokenCheck, () => string> = {
    "token-shape": () => `a compact JWS of ${token.compact.length} characters`,
    "token-algorithm": () => `${token.algorithm}, ${token.keyId === undefined ? "no key ID" : `key ID ${token.keyId}`}`,
    "token-claims": () => `iss ${token.issuer}, sub ${token.subject}`,
    "issuer-unknown": () => `configured as ${settings?.key}, type ${settings?.type}`,
    audience: () => `${settings?.clientId}`,
    "token-times": () => lifetime(token.claims["exp"], now),
    "token-signature": () => "made with a key that the issuer publishes",
    identity: () => `the claims that type ${settings?.type} asks for are there`,
    policy: () => (settings?.policy === undefined ? "the issuer has none" : describeVerdict(verdict)),
  };
  return details[check]();
}

function lifetime(exp: JsonValue | undefined, now: number): string {
  return typeof exp === "number" ? `expires in ${Math.round(exp - now / 1000)} s` : "";
}

function describeVerdict(verdict: Verdict | undefined): string {
  if (verdict?.outcome === "would-refuse") return `dry run; else: ${verdict.reason}`;
  return `allowed by ${verdict?.rule}`;
}

function explainPolicy(policy: IssuancePolicy, verdict: Verdict, { claims }: Findings): PolicyExplanation {
  return {
    default: policy.otherwise,
    dryRun: policy.isDryRun,
    outcome: verdict.outcome,
    decidedBy: verdict.rule,
    rules: policy.rules.map((rule) => {
      const { name, effect } = rule;
      if (claims === undefined) return { name, effect, matches: false };
      return { name, effect, matches: matches(rule, claims), condition: explainRule(rule, claims) };
    }),
  };
}

/** The pool, with an eye on which claims the types of its issuers read. */
function watched(pool: Pick<IssuerPool, "match">, read: ClaimRead[]): Pick<IssuerPool, "match"> {
  return {
    match(name) {
      const issuer = pool.match(name);
      const { type, ciMetadata } = issuer.settings;
      const defaults = type === ciProvider.name ? ciMetadata?.defaults : undefined;
      const toPrincipal: typeof issuer.toPrincipal = (claims) =>
        issuer.toPrincipal({ ...claims, all: watchedClaims(claims.all, read, defaults) });
      return { ...issuer, toPrincipal };
    },
  };
}

function watchedClaims(
  claims: JsonObject,
  read: ClaimRead[],
  defaults: CiMetadata["defaults"] = new Map(),
): JsonObject {
  return new Proxy(claims, {
    get(target, name: string) {
      const value = target[name];
      if (read.some((claim) => claim.name === name)) return value;
      const byDefault = value === undefined ? defaults.get(name) : undefined;
      read.push({ name, isPresent: value !== undefined, ...(byDefault === undefined ? {} : { default: byDefault }) });
      return value;
    },
  });
}
