import { compareBytes, type JsonObject, type JsonValue, utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

/**
 * A claim that is no text, as upstream writes it into a template (pkg/identity/ciprovider, mapValuesToString): what Go's
 * fmt prints of a decoded JSON value. `["a","b"]` is `[a b]`, `{"k":1}` is `map[k:1]`, keys in the order of their octets.
 * Nothing reads that back, and `["a b"]` is the same text: not for names.
 */
export function printClaim(value: JsonValue, name: string): string {
  if (typeof value !== "number") return printed(value, name);
  // Upstream writes out the numbers of the first level, as JavaScript does between these bounds.
  const text = signed(exact(value, name), String);
  if (text.includes("e")) throw new Malformed(`${name} claim is a number too small to be written plainly`);
  return text;
}

/** As Go prints a null: GitLab's `ci_config_sha` is one where the definition is another project's. */
const NULL = "<nil>";
/** Exponents from which on Go's %g writes them (strconv, FormatFloat). */
const [SMALL, LARGE] = [-4, 6];

function printed(value: JsonValue, name: string): string {
  if (value === null) return NULL;
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return signed(exact(value, name), general);
  if (isList(value)) return `[${value.map((one) => printed(one, name)).join(" ")}]`;
  const members = Object.entries(value).toSorted(([a], [b]) => compareBytes(utf8(a), utf8(b)));
  return `map[${members.map(([key, one]) => `${key}:${printed(one, name)}`).join(" ")}]`;
}

/** `digits` are of its absolute value: JavaScript writes no sign of zero. */
function signed(value: number, digits: (absolute: number) => string): string {
  return `${value < 0 || Object.is(value, -0) ? "-" : ""}${digits(Math.abs(value))}`;
}

/** The fewest digits that name this number and no other; an exponent has two digits at least. */
function general(value: number): string {
  const [mantissa = "", exponent = ""] = value.toExponential().split("e");
  if (Number(exponent) >= SMALL && Number(exponent) < LARGE) return String(value);
  return `${mantissa}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, "0")}`;
}

/** Beyond 2^53 the number read is not the number written, and may be another project's. */
function exact(value: number, name: string): number {
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
  throw new Malformed(`${name} claim is a number too large to be exact`);
}

function isList(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value);
}
