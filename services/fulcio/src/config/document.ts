import { Misconfigured } from "@chancery/fault";
import { parseDocument, visit } from "yaml";

const MAX_CONFIG_CHARACTERS = 1024 * 1024;
/** Upstream's production file aliases a few dozen nodes; a bomb needs far more. */
const MAX_ALIASES = 200;

const NULL = /^(?:~|null|Null|NULL)$/;

const ALIAS_KEY = /^([ \t]*\*[A-Za-z0-9_-]+):(?=\s|$)/gm;

/**
 * Writes `*github-type :` for the map key `*github-type:`. YAML 1.2 reads that colon into the alias's
 * name; Go's parser, which upstream's own file was written for, does not.
 */
export function separateAliasKeys(yaml: string): string {
  return yaml.replaceAll(ALIAS_KEY, "$1 :");
}

/**
 * YAML or JSON, every scalar as its text: what becomes of `client-id: 123` or `true` is the schema's to
 * say, as in upstream's typed decoding, and no number loses digits on the way.
 */
export function parseConfigDocument(text: string): unknown {
  if (text.length > MAX_CONFIG_CHARACTERS) throw new Misconfigured("configuration", "is larger than 1 MiB");
  const options = { schema: "failsafe", merge: true, uniqueKeys: true } as const;
  const document = parseDocument(separateAliasKeys(text), options);
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new Misconfigured("configuration", problem.message.split("\n", 1)[0] ?? "is not YAML", { cause: problem });
  }
  visit(document, {
    Scalar(_key, node) {
      // As Go decodes a null into a text.
      if (node.type === "PLAIN" && NULL.test(node.source ?? "")) node.value = "";
    },
  });
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
  } catch (cause) {
    throw new Misconfigured("configuration", cause instanceof Error ? cause.message : "is not YAML", { cause });
  }
}

/** A map of the document; a section that is there but empty is an empty map. */
export function asMap(value: unknown, key: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null || value === "") return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new Misconfigured(key, "is not a map");
  return value as Readonly<Record<string, unknown>>;
}

/** Upstream takes a file for JSON if it can be read as that, and else for YAML. */
export function isJsonDocument(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A text of the document; undefined where there is none or an empty one. */
export function asText(value: unknown, key: string): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string") throw new Misconfigured(key, "is not a text");
  return value;
}

/** As YAML 1.1 and Go read a boolean. */
export function asBoolean(value: unknown, key: string): boolean {
  const text = (asText(value, key) ?? "false").toLowerCase();
  if (["true", "yes", "on"].includes(text)) return true;
  if (["false", "no", "off"].includes(text)) return false;
  throw new Misconfigured(key, "is neither true nor false");
}
