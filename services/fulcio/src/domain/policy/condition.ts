import type { JsonObject } from "@chancery/encoding";
import { claimAt, type ClaimPath, scalarText } from "./claim-path.ts";
import { type Glob, globMatches } from "./glob.ts";

export type Condition =
  | { readonly type: "all"; readonly conditions: readonly Condition[] }
  | { readonly type: "any"; readonly conditions: readonly Condition[] }
  | { readonly type: "not"; readonly condition: Condition }
  | { readonly type: "claim"; readonly path: ClaimPath; readonly comparison: Comparison };

/** Letter for letter. `contains` is the only one that looks into an array, and only an array. */
export type Comparison =
  | { readonly type: "equals"; readonly text: string }
  | { readonly type: "contains"; readonly text: string }
  | { readonly type: "one-of"; readonly texts: ReadonlySet<string> }
  | { readonly type: "glob"; readonly glob: Glob };

/** Undefined: it hangs on a claim that is not there or cannot be compared. */
export type Truth = boolean | undefined;

/**
 * A claim that is missing is never a match. What `not` makes of it is `missing`'s to say:
 *
 * - `undefined`, for rules that let in: `not` of unknown stays unknown, so that nobody gets in by a claim that is
 *   left out (Kleene's logic);
 * - `false`, for rules that keep out: `not` of it is true, so that nobody slips by in that way.
 */
export function evaluate(condition: Condition, claims: JsonObject, missing: false | undefined): Truth {
  if (condition.type === "all") return every(condition.conditions, claims, missing);
  if (condition.type === "any") return some(condition.conditions, claims, missing);
  if (condition.type === "claim") return compare(condition.comparison, claims, condition.path) ?? missing;
  const truth = evaluate(condition.condition, claims, missing);
  return truth === undefined ? undefined : !truth;
}

function every(conditions: readonly Condition[], claims: JsonObject, missing: false | undefined): Truth {
  let result: Truth = true;
  for (const condition of conditions) {
    const truth = evaluate(condition, claims, missing);
    if (truth === false) return false;
    if (truth === undefined) result = undefined;
  }
  return result;
}

function some(conditions: readonly Condition[], claims: JsonObject, missing: false | undefined): Truth {
  let result: Truth = false;
  for (const condition of conditions) {
    const truth = evaluate(condition, claims, missing);
    if (truth === true) return true;
    if (truth === undefined) result = undefined;
  }
  return result;
}

function compare(comparison: Comparison, claims: JsonObject, path: ClaimPath): Truth {
  const value = claimAt(claims, path);
  if (comparison.type === "contains") {
    if (!Array.isArray(value)) return undefined;
    return value.some((element) => scalarText(element) === comparison.text);
  }
  const text = scalarText(value);
  if (text === undefined) return undefined;
  if (comparison.type === "one-of") return comparison.texts.has(text);
  return comparison.type === "glob" ? globMatches(comparison.glob, text) : text === comparison.text;
}
