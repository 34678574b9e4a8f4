import type { JsonObject, JsonValue } from "@chancery/encoding";

/** Strangers' documents: what is not there, or of another type, is undefined and never an error. */
export function member(value: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || Array.isArray(found)) return undefined;
    const holder = found as JsonObject;
    found = Object.hasOwn(holder, name) ? holder[name] : undefined;
  }
  return found;
}

export function text(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function object(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

export function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** Those of the lines that have a value. */
export function facts(
  ...lines: readonly (readonly [name: string, value: string | undefined])[]
): (readonly [string, string])[] {
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

/** Texts joined, or undefined if there are none. */
export function joined(values: readonly (string | undefined)[]): string | undefined {
  const found = values.filter((value) => value !== undefined);
  return found.length === 0 ? undefined : found.join(", ");
}
