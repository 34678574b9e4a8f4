import { parseRfc3339 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { type Condition, FILTER_NAMES, parseConditions } from "../../domain/search/condition.ts";
import type { Order } from "../../domain/search/log-search.ts";
import type { LogsSearch } from "../../domain/search/search-logs.ts";
import type { Query } from "../query-parameters.ts";

export const LOG_NAMES: readonly string[] = ["rekor", "rekor-v2"];
const ORDERS: readonly Order[] = ["newest", "oldest"];
export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 500;
/** Of one filter; and of all together. Each is a look-up. */
export const MAX_VALUES = 20;
const MAX_CONDITIONS = 50;
/** Each is held against every name of every entry that is read. */
const MAX_GLOBS = 3;
const PLAIN = new Set(["log", "from", "to", "order", "limit", "cursor"]);

/** The query of `GET /api/chancery/v1/search`. Every refusal begins with the parameter's name. */
export function readSearch(query: Query): LogsSearch {
  const groups: Condition[][] = [];
  const asMany = new Map<string, number>();
  for (const [parameter, value] of Object.entries(query)) {
    if (PLAIN.has(parameter)) continue;
    const name = filterOf(parameter);
    const values = valuesOf(parameter, value);
    asMany.set(name, (asMany.get(name) ?? 0) + values.length);
    requireBounded(name, asMany.get(name) ?? 0);
    groups.push(values.flatMap((text) => parseConditions(name, text)));
  }
  if (groups.flat().length > MAX_CONDITIONS) throw new Malformed(`query: more than ${MAX_CONDITIONS} values in all`);
  const asked = Object.entries(query).filter(([name]) => name !== "limit" && name !== "cursor");
  const [from, to] = [timeParameter(query, "from"), timeParameter(query, "to")];
  if (from !== undefined && to !== undefined && from > to) throw new Malformed("from: is after to");
  return {
    groups,
    logs: query["log"] === undefined ? [] : valuesOf("log", query["log"]).map(logName),
    from,
    to,
    order: choice(query, "order", ORDERS) ?? "newest",
    limit: limitParameter(query),
    cursor: single(query, "cursor"),
    asked: JSON.stringify(asked.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** A parameter that may stand once. */
export function single(query: Query, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === "string") return value;
  throw new Malformed(`${name}: is there ${value.length} times`);
}

export function requireKnown(query: Query, names: readonly string[]): void {
  const strange = Object.keys(query).find((name) => !names.includes(name));
  if (strange !== undefined) throw new Malformed(`${strange.slice(0, 64)}: no such parameter`);
}

/** RFC 3339, as milliseconds since 1970. */
export function timeParameter(query: Query, name: string): number | undefined {
  const text = single(query, name);
  if (text === undefined) return undefined;
  const time = parseRfc3339(text);
  if (time === undefined)
    throw new Malformed(`${name}: not a time as RFC 3339 writes it, such as 2026-01-31T12:00:00Z`);
  return Math.max(0, time);
}

export function choice<Name extends string>(query: Query, name: string, of: readonly Name[]): Name | undefined {
  const text = single(query, name);
  if (text === undefined) return undefined;
  const chosen = of.find((each) => each === text);
  if (chosen === undefined) throw new Malformed(`${name}: none of ${of.join(", ")}`);
  return chosen;
}

/** `san.2`: what must hold as well as `san`. */
function filterOf(parameter: string): string {
  const [, name = parameter] = /^(\w+)\.(?:[2-9]|1[0-9]|20)$/.exec(parameter) ?? [];
  if (FILTER_NAMES.includes(name)) return name;
  throw new Malformed(`${parameter.slice(0, 64)}: no such parameter`);
}

function valuesOf(name: string, value: Query[string]): readonly string[] {
  const values = typeof value === "string" ? [value] : (value ?? []);
  requireBounded(name, values.length);
  return values;
}

function requireBounded(name: string, values: number): void {
  const most = name === "sanGlob" ? MAX_GLOBS : MAX_VALUES;
  if (values > most) throw new Malformed(`${name}: is there more than ${most} times`);
}

function logName(text: string): string {
  if (LOG_NAMES.includes(text)) return text;
  throw new Malformed(`log: none of ${LOG_NAMES.join(", ")}`);
}

function limitParameter(query: Query): number {
  const text = single(query, "limit");
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) throw new Malformed(`limit: not a number from 1 to ${MAX_LIMIT}`);
  return limit;
}
