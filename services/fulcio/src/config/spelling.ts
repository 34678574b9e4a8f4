import { Misconfigured } from "@chancery/fault";
import { asMap, isJsonDocument, parseConfigDocument } from "./document.ts";
import { CI_KEYS, EXTENSION_KEYS, FILE_KEYS, ISSUER_KEYS, POLICY_KEYS, PRESET_KEYS } from "./keys.ts";

/*
 * Upstream's keys have two spellings, `client-id` in YAML and `ClientID` in JSON, and its decoders pass over a key in the
 * other's. Here such a key is refused: nobody who wrote it meant nothing.
 */

type Map = Readonly<Record<string, unknown>>;

/** The keys of one place in the file, YAML's spelling to JSON's, and what stands below them. */
interface Place {
  readonly keys: Readonly<Record<string, string>>;
  /** Below a key: another place, … */
  readonly below?: Readonly<Record<string, Place>>;
  /** … or any number of them, under names that are the file's own. */
  readonly each?: Readonly<Record<string, Place>>;
}

const ISSUER: Place = { keys: { ...ISSUER_KEYS, ...PRESET_KEYS }, below: { policy: { keys: POLICY_KEYS } } };
const CI: Place = { keys: CI_KEYS, below: { "extension-templates": { keys: EXTENSION_KEYS } } };
const FILE: Place = {
  keys: FILE_KEYS,
  each: { "oidc-issuers": ISSUER, "meta-issuers": ISSUER, "ci-issuer-metadata": CI },
};

/** A file's content with every key as YAML spells it, and the way back for complaints. */
export interface SpeltDocument {
  readonly content: Map;
  /** A key's path as the file has it or, of a key that is not in it, as the file would. */
  asWritten(path: string): string;
}

/**
 * Misconfigured for a key that is not known, that comes twice, or that YAML spells otherwise. JSON may have either spelling, and
 * its own in any case, as Go's decoder has it. `beside` names top keys that are another reader's.
 */
export function parseSpeltDocument(text: string, beside: readonly string[]): SpeltDocument {
  const document = Object.entries(asMap(parseConfigDocument(text), "configuration"));
  const own = Object.fromEntries(document.filter(([key]) => !beside.includes(key)));
  const isJson = isJsonDocument(text);
  // Ours alone reads hyphens in JSON: whoever wrote them knows the keys by them.
  const isLegacy = isJson && !Object.keys(own).some((key) => key.includes("-"));
  return {
    content: new Speller(isJson, isLegacy, beside).spelt(own, FILE, ""),
    asWritten: (path) => (isLegacy ? writtenPath(own, FILE, path) : path),
  };
}

class Speller {
  readonly #isJson: boolean;
  readonly #isLegacy: boolean;
  readonly #beside: readonly string[];

  constructor(isJson: boolean, isLegacy: boolean, beside: readonly string[]) {
    this.#isJson = isJson;
    this.#isLegacy = isLegacy;
    this.#beside = beside;
  }

  spelt(map: Map, place: Place, path: string): Map {
    const spelt: Record<string, unknown> = {};
    for (const [written, value] of Object.entries(map)) {
      const at = path === "" ? written : `${path}.${written}`;
      const name = this.#nameOf(written, place, at);
      if (name in spelt) throw new Misconfigured(at, "stands there twice, in two spellings");
      spelt[name] = this.#below(value, name, place, at);
    }
    return spelt;
  }

  #below(value: unknown, name: string, { below, each }: Place, at: string): unknown {
    const [inside, many] = [below?.[name], each?.[name]];
    if (inside !== undefined) return this.spelt(asMap(value, at), inside, at);
    if (many === undefined) return value;
    const entries = Object.entries(asMap(value, at));
    return Object.fromEntries(
      entries.map(([key, entry]) => [key, this.spelt(asMap(entry, `${at}.${key}`), many, `${at}.${key}`)]),
    );
  }

  #nameOf(written: string, { keys }: Place, at: string): string {
    const name = canonicalName(keys, written);
    if (name === written || (name !== undefined && this.#isJson)) return name;
    if (name !== undefined) throw new Misconfigured(at, `is spelt as in JSON; in YAML the key is ${name}`);
    const known = this.#isLegacy ? Object.values(keys) : Object.keys(keys);
    const all = keys === FILE.keys ? [...known, ...this.#beside] : known;
    throw new Misconfigured(at, `is not a key that is known here; known are ${all.join(", ")}`);
  }
}

/** Of the legacy spelling the case is not looked at, as Go's JSON decoder does not. */
function canonicalName(keys: Place["keys"], written: string): string | undefined {
  if (Object.hasOwn(keys, written)) return written;
  return Object.entries(keys).find(([, legacy]) => legacy.toLowerCase() === written.toLowerCase())?.[0];
}

/** Step by step along the file, for the names in it (an issuer's URL) have dots of their own. */
function writtenPath(map: Map, place: Place, path: string): string {
  for (const [written, value] of Object.entries(map)) {
    const name = canonicalName(place.keys, written) ?? written;
    const rest = after(path, name) ?? after(path, written);
    if (rest === undefined) continue;
    const inside = place.below?.[name];
    const many = place.each?.[name];
    if (rest === "" || typeof value !== "object" || value === null) return written + rest;
    if (inside !== undefined) return `${written}.${writtenPath(value as Map, inside, rest.slice(1))}`;
    if (many !== undefined) return `${written}.${writtenEntry(value as Map, many, rest.slice(1))}`;
    return written + rest;
  }
  const missing = Object.entries(place.keys).find(([name]) => after(path, name) !== undefined);
  return missing === undefined ? path : missing[1] + path.slice(missing[0].length);
}

function writtenEntry(map: Map, place: Place, path: string): string {
  // Of two names of which one begins the other, with a dot, the longer is meant.
  const names = Object.keys(map).sort((one, other) => other.length - one.length);
  const name = names.find((known) => after(path, known) !== undefined);
  const entry = name === undefined ? undefined : map[name];
  if (name === undefined || path === name || typeof entry !== "object" || entry === null) return path;
  return `${name}.${writtenPath(entry as Map, place, path.slice(name.length + 1))}`;
}

/** What of a path comes after a name; undefined if it begins with another. */
function after(path: string, name: string): string | undefined {
  if (!path.startsWith(name)) return undefined;
  const rest = path.slice(name.length);
  return rest === "" || rest.startsWith(".") || rest.startsWith("[") ? rest : undefined;
}
