import { decodeBase64Lenient, type JsonObject, type JsonValue } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { isList, isObject } from "../../domain/entries/spec-reader.ts";

/**
 * A protobuf message in JSON, read member by member; every refusal names the member's path. protobuf.dev, "ProtoJSON
 * Format": a member goes by its lowerCamelCase name or by the one in the proto file, never both; `null` counts as
 * absent; bytes are base64 of either alphabet, padded or not.
 *
 * A member that no one asked for is refused by {@link MessageReader.end}, as upstream's gateway does.
 */
export class MessageReader {
  readonly path: string;
  readonly #object: JsonObject;
  readonly #asked = new Set<string>();
  readonly #inner: MessageReader[] = [];

  constructor(object: JsonObject, path: string) {
    this.#object = object;
    this.path = path;
  }

  message(name: string): MessageReader {
    return this.optionalMessage(name) ?? this.#missing(name);
  }

  optionalMessage(name: string): MessageReader | undefined {
    const value = this.#take(name);
    return value === undefined ? undefined : this.#open(value, this.at(name));
  }

  /** At most `max`; none is an empty list. */
  messages(name: string, max: number): MessageReader[] {
    const value = this.#take(name) ?? [];
    if (!isList(value)) throw new Malformed(`${this.at(name)}: not an array`);
    if (value.length > max) throw new Malformed(`${this.at(name)}: more than ${max}`);
    return value.map((each, place) => this.#open(each, `${this.at(name)}.${place}`));
  }

  bytes(name: string): Uint8Array {
    const bytes = this.optionalBytes(name);
    return bytes.length > 0 ? bytes : this.#missing(name);
  }

  optionalBytes(name: string): Uint8Array {
    return decodeBase64Lenient(this.optionalText(name), this.at(name));
  }

  optionalText(name: string): string {
    const value = this.#take(name) ?? "";
    if (typeof value !== "string") throw new Malformed(`${this.at(name)}: not a string`);
    return value;
  }

  /** By name, or by number as `names` has them. */
  enumeration(name: string, names: ReadonlyMap<number, string>): string {
    const value = this.#take(name) ?? this.#missing(name);
    if (typeof value === "string") return value;
    const known = typeof value === "number" ? names.get(value) : undefined;
    if (known === undefined) throw new Malformed(`${this.at(name)}: not a value of its enumeration`);
    return known;
  }

  at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  /** Refuses every member, here and in what was opened from here, that was not asked for. */
  end(): void {
    for (const name of Object.keys(this.#object)) {
      if (!this.#asked.has(name)) throw new Malformed(`${this.at(name.slice(0, 64))}: no such member in this message`);
    }
    for (const reader of this.#inner) reader.end();
  }

  #open(value: JsonValue, path: string): MessageReader {
    if (!isObject(value)) throw new Malformed(`${path}: not an object`);
    const reader = new MessageReader(value, path);
    this.#inner.push(reader);
    return reader;
  }

  #take(name: string): JsonValue | undefined {
    const protoName = snakeCase(name);
    this.#asked.add(name).add(protoName);
    const [camel, snake] = [this.#own(name), this.#own(protoName)];
    if (name !== protoName && camel !== undefined && snake !== undefined) {
      throw new Malformed(`${this.at(name)}: is given twice, as ${protoName} too`);
    }
    return camel ?? snake;
  }

  #own(name: string): JsonValue | undefined {
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined;
  }

  #missing(name: string): never {
    throw new Malformed(`${this.at(name)}: is required`);
  }
}

/** `x509Certificate` is `x509_certificate` and `hashedRekordRequestV002` is `hashed_rekord_request_v002`. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
