import type { JsonObject, JsonValue } from "@chancery/encoding";
import { claimAt, type ClaimPath, type Glob, globMatches, scalarText } from "@chancery/identity";

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

/** Undefined: it hangs on what cannot be known of a claim. */
export type Truth = boolean | undefined;

/**
 * Kleene's logic: `not` of unknown stays unknown. Unknown is a claim that is there and cannot be compared: a list where
 * a text is wanted, a number that is not exact. A claim that is missing, or null, is what `missing` says:
 *
 * - `undefined`, for rules that let in: nobody gets in by a claim that is left out, nor by `not` of it;
 * - `false`, for rules that keep out: it is no match, and `not` of it is one, so that nobody slips by in that way.
 */
export function evaluate(condition: Condition, claims: JsonObject, missing: false | undefined): Truth {
  if (condition.type === "all") return every(condition.conditions, claims, missing);
  if (condition.type === "any") return some(condition.conditions, claims, missing);
  if (condition.type === "claim") return compare(condition.comparison, claimAt(claims, condition.path), missing);
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

function compare(comparison: Comparison, value: JsonValue | undefined, missing: false | undefined): Truth {
  if (value === undefined || value === null) return missing;
  if (comparison.type === "contains") return Array.isArray(value) ? contains(value, comparison.text) : undefined;
  const text = scalarText(value);
  if (text === undefined) return undefined;
  if (comparison.type === "one-of") return comparison.texts.has(text);
  return comparison.type === "glob" ? globMatches(comparison.glob, text) : text === comparison.text;
}

function contains(list: readonly JsonValue[], text: string): Truth {
  if (list.some((element) => scalarText(element) === text)) return true;
  return list.some((element) => typeof element === "number" && scalarText(element) === undefined) ? undefined : false;
}
