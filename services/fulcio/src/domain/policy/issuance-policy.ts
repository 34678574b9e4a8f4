import type { VerifiedClaims } from "../claims.ts";
import { type Condition, evaluate } from "./condition.ts";
import { type ConditionResult, explainCondition } from "./condition-result.ts";

/** Who of an issuer's may have a certificate. */
export interface IssuancePolicy {
  /** For claims that no rule speaks of. */
  readonly otherwise: "allow" | "deny";
  /** Only counts and tells what it would refuse. */
  readonly isDryRun: boolean;
  /** Those that deny come first: one of them is enough, whatever allows. */
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly name: string;
  readonly effect: "allow" | "deny";
  readonly condition: Condition;
}

/** `rule` is the name of the rule that decided. */
export type Verdict =
  | { readonly outcome: "allowed"; readonly rule: string }
  | { readonly outcome: "refused" | "would-refuse"; readonly rule: string; readonly reason: string };

/** What stands for a rule's name where none matched; no rule can be called that. */
const DEFAULT = "(default)";

/** The reason names the rule and nothing else of the policy: its reader is whoever was refused. */
export function judge({ otherwise, isDryRun, rules }: IssuancePolicy, claims: VerifiedClaims): Verdict {
  const decisive = rules.find((rule) => matches(rule, claims));
  const rule = decisive?.name ?? DEFAULT;
  if ((decisive?.effect ?? otherwise) === "allow") return { outcome: "allowed", rule };
  const reason =
    decisive === undefined
      ? "no rule of the issuance policy allows it"
      : `the rule ${rule} of the issuance policy refuses it`;
  return { outcome: isDryRun ? "would-refuse" : "refused", rule, reason };
}

/** Whether a rule applies. A claim that cannot be compared lets nobody in, and nobody slip by a rule that denies. */
export function matches(rule: Rule, { all }: VerifiedClaims): boolean {
  const truth = evaluate(rule.condition, all, whereMissing(rule));
  return rule.effect === "deny" ? truth !== false : truth === true;
}

/** How {@link matches} came to its answer. */
export function explainRule(rule: Rule, { all }: VerifiedClaims): ConditionResult {
  return explainCondition(rule.condition, all, whereMissing(rule));
}

function whereMissing({ effect }: Rule): false | undefined {
  return effect === "deny" ? false : undefined;
}
