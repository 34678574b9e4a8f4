import { Misconfigured } from "@chancery/fault";
import { parseClaimPath, parseGlob } from "@chancery/identity";
import { asBoolean, asMap, asText } from "../../config/document.ts";
import type { Comparison, Condition } from "./condition.ts";
import type { IssuancePolicy, Rule } from "./issuance-policy.ts";

/*
 * ```yaml
 * policy:
 *   default: deny            # or allow, as upstream
 *   dry-run: true            # false if left out
 *   deny:                    # rules by name; one that matches is enough
 *     forks: { claim: repository_owner, equals: someone }
 *   allow:                   # only beside `default: deny`
 *     releases:
 *       all:
 *         - { claim: repository, glob: acme/* }
 *         - any: [{ claim: ref, glob: refs/tags/v* }, { claim: ref, equals: refs/heads/main }]
 *         - not: { claim: event_name, one-of: [pull_request, pull_request_target] }
 * ```
 */

const SHAPES = ["all", "any", "not", "claim"] as const;
const COMPARISONS = ["equals", "one-of", "glob", "contains"] as const;

const MAX_RULES = 200;
const MAX_DEPTH = 8;
const MAX_CONDITIONS = 1000;
/** What one character of a claim can cost at most. */
const MAX_GLOB_CHARACTERS = 256;
/** A refused client reads it, and the ledger keeps it. */
const RULE_NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/;

/** Misconfigured, naming the path, for whatever is not clear: a rule misread is a door left open. */
export function parsePolicy(value: unknown, key: string): IssuancePolicy | undefined {
  if (value === undefined) return undefined;
  const written = asMap(value, key);
  const otherwise = asText(written.default, `${key}.default`);
  if (otherwise !== "allow" && otherwise !== "deny") {
    throw new Misconfigured(`${key}.default`, "must say allow, as upstream does, or deny");
  }
  const budget = { conditions: 0 };
  const denying = parseRules(written.deny, "deny", `${key}.deny`, budget);
  const allowing = parseRules(written.allow, "allow", `${key}.allow`, budget);
  if (otherwise === "allow" && allowing.length > 0) {
    throw new Misconfigured(
      `${key}.allow`,
      "has no meaning beside default: allow, which lets in all that nothing denies",
    );
  }
  const rules = [...denying, ...allowing];
  if (rules.length > MAX_RULES) throw new Misconfigured(key, `has more than ${MAX_RULES} rules`);
  const twice = allowing.find(({ name }) => denying.some((rule) => rule.name === name));
  if (twice !== undefined) throw new Misconfigured(`${key}.allow.${twice.name}`, "is the name of a rule that denies");
  return { otherwise, isDryRun: asBoolean(written["dry-run"], `${key}.dry-run`), rules };
}

interface Budget {
  conditions: number;
}

function parseRules(value: unknown, effect: Rule["effect"], key: string, budget: Budget): Rule[] {
  return Object.entries(asMap(value, key)).map(([name, condition]) => {
    if (!RULE_NAME.test(name)) {
      throw new Misconfigured(`${key}.${name}`, "a rule's name is letters, digits, spaces and . _ -, at most 64");
    }
    return { name, effect, condition: parseCondition(condition, `${key}.${name}`, 1, budget) };
  });
}

function parseCondition(value: unknown, key: string, depth: number, budget: Budget): Condition {
  if (depth > MAX_DEPTH) throw new Misconfigured(key, `is nested more than ${MAX_DEPTH} deep`);
  if (++budget.conditions > MAX_CONDITIONS) {
    throw new Misconfigured(key, `the policy has more than ${MAX_CONDITIONS} conditions`);
  }
  const map = asMap(value, key);
  const [shape, ...others] = SHAPES.filter((name) => name in map);
  if (shape === undefined || others.length > 0) {
    throw new Misconfigured(key, `must have exactly one of ${SHAPES.join(", ")}`);
  }
  if (shape === "claim") return parseComparison(map, key);
  refuseOthers(map, [shape], key);
  const inner = map[shape];
  if (shape === "not") return { type: "not", condition: parseCondition(inner, `${key}.not`, depth + 1, budget) };
  const conditions = asList(inner, `${key}.${shape}`).map((condition, place) =>
    parseCondition(condition, `${key}.${shape}[${place}]`, depth + 1, budget),
  );
  return { type: shape, conditions };
}

function parseComparison(map: Readonly<Record<string, unknown>>, key: string): Condition {
  const [type, ...others] = COMPARISONS.filter((name) => name in map);
  if (type === undefined || others.length > 0) {
    const stray = Object.keys(map).find((name) => name !== "claim" && name !== type);
    const found = stray === undefined ? "" : `, and here is ${stray}`;
    throw new Misconfigured(key, `a claim needs exactly one of ${COMPARISONS.join(", ")}${found}`);
  }
  refuseOthers(map, ["claim", type], key);
  const path = parseClaimPath(required(map["claim"], `${key}.claim`));
  if (path === undefined) throw new Misconfigured(`${key}.claim`, "is neither a claim's name nor a JSON pointer");
  return { type: "claim", path, comparison: comparison(type, map[type], `${key}.${type}`) };
}

function comparison(type: (typeof COMPARISONS)[number], value: unknown, key: string): Comparison {
  if (type === "one-of") {
    return { type, texts: new Set(asList(value, key).map((text, place) => required(text, `${key}[${place}]`))) };
  }
  const text = required(value, key);
  if (type !== "glob") return { type, text };
  const glob = text.length <= MAX_GLOB_CHARACTERS ? parseGlob(text) : undefined;
  if (glob === undefined) {
    throw new Misconfigured(key, `has three stars in a row or more than ${MAX_GLOB_CHARACTERS} characters`);
  }
  return { type, glob };
}

function refuseOthers(map: Readonly<Record<string, unknown>>, known: readonly string[], key: string): void {
  const unknown = Object.keys(map).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Misconfigured(`${key}.${unknown}`, `does not belong beside ${known.join(" and ")}`);
}

function asList(value: unknown, key: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw new Misconfigured(key, "is not a list with something in it");
  return value;
}

/** An empty text compares equal to what an issuer writes where it knows nothing. */
function required(value: unknown, key: string): string {
  const text = asText(value, key);
  if (text === undefined) throw new Misconfigured(key, "is empty");
  return text;
}
