import type { JsonObject } from "@chancery/encoding";
import { claimAt, claimPathText, globText } from "@chancery/identity";
import { type Comparison, type Condition, evaluate } from "./condition.ts";

/** What became of a condition and of those in it, for whoever wrote the rule. */
export interface ConditionResult {
  /** `repository glob acme/*`, or `all`, `any`, `not`. */
  readonly condition: string;
  readonly outcome: "holds" | "does not hold" | "claim is missing" | "claim cannot be compared" | "undecided";
  readonly inner: readonly ConditionResult[];
}

/** By the same evaluation that decides; `missing` as there. Of the claims nothing is told but how they compare. */
export function explainCondition(
  condition: Condition,
  claims: JsonObject,
  missing: false | undefined,
): ConditionResult {
  const truth = evaluate(condition, claims, missing);
  const outcome = truth === true ? "holds" : "does not hold";
  if (condition.type === "claim") {
    const { path, comparison } = condition;
    const text = `${claimPathText(path)} ${comparisonText(comparison)}`;
    const isMissing = (claimAt(claims, path) ?? null) === null;
    if (isMissing) return { condition: text, outcome: "claim is missing", inner: [] };
    return { condition: text, outcome: truth === undefined ? "claim cannot be compared" : outcome, inner: [] };
  }
  const within = condition.type === "not" ? [condition.condition] : condition.conditions;
  return {
    condition: condition.type,
    outcome: truth === undefined ? "undecided" : outcome,
    inner: within.map((each) => explainCondition(each, claims, missing)),
  };
}

function comparisonText(comparison: Comparison): string {
  if (comparison.type === "one-of") return `one-of [${[...comparison.texts].join(", ")}]`;
  return `${comparison.type} ${comparison.type === "glob" ? globText(comparison.glob) : comparison.text}`;
}
