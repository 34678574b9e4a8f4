import type { JsonObject, JsonValue } from "@chancery/encoding";

/** The names that lead to a claim, outermost first. */
export type ClaimPath = readonly string[];

/**
 * `ref` is the claim of that name, whatever is in the name; `/kubernetes.io/namespace` a member of a claim, written as
 * a JSON pointer (RFC 6901): `~1` is a slash in a name, `~0` a tilde. Undefined for what is neither.
 */
export function parseClaimPath(text: string): ClaimPath | undefined {
  if (!text.startsWith("/")) return [text];
  if (/~(?![01])/.test(text)) return undefined;
  return text
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** As {@link parseClaimPath} reads it. */
export function claimPathText(path: ClaimPath): string {
  const [name = "", ...inner] = path;
  if (inner.length === 0 && !name.startsWith("/")) return name;
  return path.map((step) => `/${step.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Members of objects only: which element of an array is which, no issuer promises. */
export function claimAt(claims: JsonObject, path: ClaimPath): JsonValue | undefined {
  let value: JsonValue | undefined = claims;
  for (const name of path) {
    const isObject: boolean = typeof value === "object" && value !== null && !Array.isArray(value);
    value = isObject ? (value as JsonObject)[name] : undefined;
  }
  return value;
}

/** Longer texts match nothing: as long as any that may enter a certificate. */
const MAX_CHARACTERS = 4096;

/**
 * What a rule compares: a string as it is, `true`, `false`, a number in its shortest decimal form. Undefined for
 * null, objects, arrays, and for a number that is not exact or needs an exponent: two IDs beyond 2^53 may read alike.
 */
export function scalarText(value: JsonValue | undefined): string | undefined {
  if (typeof value === "string") return value.length <= MAX_CHARACTERS ? value : undefined;
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number" || Math.abs(value) > Number.MAX_SAFE_INTEGER) return undefined;
  const text = String(value);
  return text.includes("e") ? undefined : text;
}
