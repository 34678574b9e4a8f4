import { decodeBase64, decodeBase64AsText, type JsonObject, type JsonValue } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { Placed } from "../pki/signature-format.ts";

/**
 * A proposed entry's object, read member by member; every refusal names the member's path.
 *
 * `null` counts as absent, as in Go's decoder: clients generated from the API's description send it for
 * what they leave out. A member that nobody asked for is refused by {@link SpecReader.end}, because what the
 * log passes over its reader might take for logged.
 */
export class SpecReader {
  readonly path: string;
  readonly #object: JsonObject;
  readonly #asked = new Set<string>();
  readonly #inner: SpecReader[] = [];

  constructor(object: JsonObject, path: string) {
    this.#object = object;
    this.path = path;
  }

  object(name: string): SpecReader {
    return this.optionalObject(name) ?? this.#missing(name);
  }

  optionalObject(name: string): SpecReader | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw new Malformed(`${this.at(name)}: not an object`);
    return this.#open(value, this.at(name));
  }

  /** At least one object, at most `max`. */
  objects(name: string, max: number): SpecReader[] {
    return this.#list(name, max).map((value, place) => {
      if (!isObject(value)) throw new Malformed(`${this.at(name)}.${place}: not an object`);
      return this.#open(value, `${this.at(name)}.${place}`);
    });
  }

  text(name: string): string {
    return this.optionalText(name) ?? this.#missing(name);
  }

  /** An empty text counts as absent, as it does upstream. */
  optionalText(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined || value === "") return undefined;
    if (typeof value !== "string") throw new Malformed(`${this.at(name)}: not a string`);
    return value;
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const value = this.text(name);
    const choice = choices.find((each) => each === value);
    if (choice === undefined) throw new Malformed(`${this.at(name)}: not one of ${choices.join(", ")}`);
    return choice;
  }

  bytes(name: string): Uint8Array {
    return decodeBytes(this.text(name), this.at(name));
  }

  /** The same, as text of a character an octet: of what is read as text, and need not be memory of its own. */
  textOfBytes(name: string): string {
    const text = decodeBase64AsText(joinLines(this.text(name)), this.at(name));
    if (text === "") throw new Malformed(`${this.at(name)}: is empty`);
    return text;
  }

  /** Bytes, and where they stand. */
  placed(name: string): Placed {
    return { bytes: this.bytes(name), field: this.at(name) };
  }

  optionalBytes(name: string): Uint8Array | undefined {
    const value = this.optionalText(name);
    return value === undefined ? undefined : decodeBytes(value, this.at(name));
  }

  /** At least one byte string, at most `max`. */
  bytesList(name: string, max: number): Uint8Array[] {
    return this.#list(name, max).map((value, place) => {
      const at = `${this.at(name)}.${place}`;
      if (typeof value !== "string" || value === "") throw new Malformed(`${at}: not a base64 string`);
      return decodeBytes(value, at);
    });
  }

  has(name: string): boolean {
    return this.#take(name) !== undefined;
  }

  /** Reads a member that is allowed and means nothing to the log. */
  ignore(name: string): void {
    this.#asked.add(name);
  }

  at(name: string): string {
    return `${this.path}.${name}`;
  }

  /** A member of any type. */
  value(name: string): JsonValue {
    return this.#take(name) ?? this.#missing(name);
  }

  /** Refuses every member, here and in what was opened from here, that was not asked for. */
  end(): void {
    for (const name of Object.keys(this.#object)) {
      if (this.#asked.has(name)) continue;
      const at = this.at(name.slice(0, 64));
      if (name === URL_MEMBER) throw this.#fetchesNothing();
      throw new Malformed(`${at}: no such member in this kind of entry`);
    }
    for (const reader of this.#inner) reader.end();
  }

  #open(object: JsonObject, path: string): SpecReader {
    const reader = new SpecReader(object, path);
    this.#inner.push(reader);
    return reader;
  }

  #list(name: string, max: number): readonly JsonValue[] {
    const value = this.#take(name) ?? this.#missing(name);
    if (!isList(value)) throw new Malformed(`${this.at(name)}: not an array`);
    if (value.length === 0) throw new Malformed(`${this.at(name)}: is empty`);
    if (value.length > max) throw new Malformed(`${this.at(name)}: more than ${max}`);
    return value;
  }

  #take(name: string): JsonValue | undefined {
    this.#asked.add(name);
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined;
  }

  /** Who sends a URL in place of the content is told about the URL: adding the content alone would be refused again. */
  #missing(name: string): never {
    if (Object.hasOwn(this.#object, URL_MEMBER)) throw this.#fetchesNothing();
    throw new Malformed(`${this.at(name)}: is required`);
  }

  /** An attacker's URL would make the log a client of other people's servers (CVE-2026-24117). */
  #fetchesNothing(): Malformed {
    return new Malformed(`${this.at(URL_MEMBER)}: the log fetches nothing, send the content itself`);
  }
}

const URL_MEMBER = "url";

/** Line breaks inside are ignored, as Go's decoder does; the value is re-encoded before it is stored. */
function decodeBytes(text: string, field: string): Uint8Array {
  const bytes = decodeBase64(joinLines(text), field);
  if (bytes.length === 0) throw new Malformed(`${field}: is empty`);
  return bytes;
}

function joinLines(text: string): string {
  return /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]/g, "") : text;
}

export function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
