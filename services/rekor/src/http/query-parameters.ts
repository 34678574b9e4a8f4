import { type Location, violation } from "./schema-violation.ts";

/** Query parameters as Fastify hands them over: a repeated name is an array. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

const MAX_INT64 = 2n ** 63n - 1n;

/** Of a repeated parameter the last counts, as upstream. */
export function parameter(query: Query, name: string): string | undefined {
  const value = query[name];
  return typeof value === "string" ? value : value?.at(-1);
}

/** An int64, at least `min`. */
export function integerParameter(query: Query, name: string, min: number): bigint | undefined {
  const text = parameter(query, name);
  return text === undefined || text === "" ? undefined : parseInteger(text, name, "query", min);
}

export function requiredInteger(query: Query, name: string, min: number): bigint {
  const value = integerParameter(query, name, min);
  if (value === undefined) throw violation.required(name, "query");
  return value;
}

/** A tree's ID, in decimal. */
export function treeIdParameter(query: Query): bigint | undefined {
  const text = parameter(query, "treeID");
  return text === undefined || text === "" ? undefined : parseTreeId(text, "query");
}

export function parseTreeId(text: string, where: Location = "path"): bigint {
  if (!/^[0-9]+$/.test(text)) throw violation.pattern("treeID", where, "^[0-9]+$");
  // Longer than any int64; reading it would cost quadratic time.
  if (text.length > 19) throw violation.type("treeID", where, "int64", text);
  return BigInt(text);
}

function parseInteger(text: string, name: string, where: Location, min: number): bigint {
  if (!/^[+-]?[0-9]{1,19}$/.test(text)) throw violation.type(name, where, "int64", text);
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  if (value > MAX_INT64 || value < -MAX_INT64 - 1n) throw violation.type(name, where, "int64", text);
  if (value < BigInt(min)) throw violation.tooSmall(name, where, min);
  return value;
}
