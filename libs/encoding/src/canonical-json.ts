import type { JsonObject, JsonValue } from "./json.ts";

/** More than {@link parseJson} lets in at its widest, far less than the stack holds. */
const MAX_DEPTH = 256;

/**
 * RFC 8785, JSON Canonicalization Scheme: no white space, ECMAScript's own number and string forms, keys in the order
 * of their UTF-16 code units. Two parties that agree on a value agree on these bytes, and so on its leaf hash.
 *
 * The value is the program's own: what JSON cannot say (NaN, undefined, a lone surrogate) is a TypeError.
 */
export function canonicalJson(value: JsonValue): string {
  return write(value, 0);
}

function write(value: JsonValue, depth: number): string {
  switch (typeof value) {
    case "string":
      return writeString(value);
    case "number":
      // RFC 8785, Section 3.2.2.3: ECMAScript's Number::toString, which also drops the sign of -0.
      if (!Number.isFinite(value)) throw new TypeError(`JSON has no ${value}`);
      return String(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth === MAX_DEPTH) throw new TypeError(`nested deeper than ${MAX_DEPTH}`);
      return isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
    default:
      throw new TypeError(`JSON has no ${typeof value}`);
  }
}

function writeArray(array: readonly JsonValue[], depth: number): string {
  let text = "[";
  for (const [index, member] of array.entries()) text += (index === 0 ? "" : ",") + write(member, depth);
  return `${text}]`;
}

function writeObject(object: JsonObject, depth: number): string {
  // Array.prototype.sort without a comparator is the UTF-16 code unit order of RFC 8785, Section 3.2.3.
  const keys = Object.keys(object).sort();
  let text = "{";
  let separator = "";
  for (const key of keys) {
    text += `${separator}${writeString(key)}:${write(object[key] as JsonValue, depth)}`;
    separator = ",";
  }
  return `${text}}`;
}

function writeString(text: string): string {
  if (!text.isWellFormed()) throw new TypeError("a lone surrogate has no UTF-8");
  // RFC 8785, Section 3.2.2.2 is JSON.stringify's own form.
  return JSON.stringify(text);
}

function isArray(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value);
}
