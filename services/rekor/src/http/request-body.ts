import { type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
import { Malformed, TooLarge, UnsupportedMediaType } from "@chancery/fault";
import type { ProposedEntry } from "../domain/entries/entry-kind.ts";
import { isList, isObject } from "../domain/entries/spec-reader.ts";
import { ENTRY_ID_PATTERN } from "../domain/entry-id.ts";
import type { EntryQuery } from "../domain/rekor-log.ts";
import { violation } from "./schema-violation.ts";

/** Artifacts and envelopes come whole in some kinds; a digest and a certificate need far less. */
export const MAX_ENTRY_BYTES = 10 * 1024 * 1024;
export const MAX_SEARCH_BYTES = 64 * 1024;
const MAX_HASHEDREKORD_BYTES = 64 * 1024;
/** What is large in a proposal is base64, one value; only TUF metadata may be written out, and has 20,000 in what may be logged. */
const MAX_VALUES = 50_000;
const MAX_QUERIES = 10;

/** Every kind of upstream's API: another name is no kind, one of these may still not be enabled here. */
const KINDS = new Set("alpine cose dsse hashedrekord helm intoto jar rekord rfc3161 rpm tuf".split(" "));
/** semver.org's own pattern, as the API's description has it. */
const SEMVER =
  "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-((?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\\.(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\\+([0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*))?$";
const SEMVER_PATTERN = new RegExp(SEMVER);
/** The pattern above backtracks on long input. */
const MAX_VERSION_LENGTH = 64;
const ENTRY_ID = new RegExp(ENTRY_ID_PATTERN);

/** The body of `POST /api/v1/log/entries`. */
export function readProposedEntry(body: Uint8Array): ProposedEntry {
  const proposed = proposedEntry(parseObject(body, "proposedEntry", MAX_ENTRY_BYTES), "");
  if (proposed.kind === "hashedrekord" && body.length > MAX_HASHEDREKORD_BYTES) {
    throw new TooLarge(`proposedEntry: a hashedrekord has at most ${MAX_HASHEDREKORD_BYTES} bytes`);
  }
  return proposed;
}

/** The body of `POST /api/v1/log/entries/retrieve`. rekor-cli sends `null` for the lists it does not use. */
export function readEntryQuery(body: Uint8Array): EntryQuery {
  const query = parseObject(body, "entry", MAX_ENTRY_BYTES);
  const entries = list(query, "entries");
  const entryIds = list(query, "entryUUIDs");
  const indexes = list(query, "logIndexes");
  if (entries.length + entryIds.length + indexes.length > MAX_QUERIES) {
    throw violation.unprocessable(`more than max allowed ${MAX_QUERIES} entries in request`);
  }
  return {
    proposals: entries.map((entry, place) => {
      if (!isObject(entry)) throw new Malformed(`entries.${place}: not an object`);
      return proposedEntry(entry, `entries.${place}.`);
    }),
    entryIds: entryIds.map((id, place) => {
      if (typeof id !== "string") throw new Malformed(`entryUUIDs.${place}: not a string`);
      if (!ENTRY_ID.test(id)) throw violation.pattern(`entryUUIDs.${place}`, "body", ENTRY_ID_PATTERN);
      return id;
    }),
    indexes: indexes.map((index, place) => {
      if (typeof index !== "number" || !Number.isSafeInteger(index)) {
        throw new Malformed(`logIndexes.${place}: not an integer`);
      }
      if (index < 0) throw violation.tooSmall(`logIndexes.${place}`, "body", 0);
      return BigInt(index);
    }),
  };
}

export function parseObject(body: Uint8Array, name: string, maxBytes: number): JsonObject {
  if (body.length === 0) throw violation.required(name, "body");
  const json = parseJson(body, name, { maxBytes, maxValues: MAX_VALUES });
  if (!isObject(json)) throw new Malformed(`${name}: not a JSON object`);
  return json;
}

/** A text member; `null` and the empty text count as absent. */
export function optionalText(object: JsonObject, name: string, path = name): string | undefined {
  const value = member(object, name);
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string") throw new Malformed(`${path}: not a string`);
  return value;
}

export function member(object: JsonObject, name: string): JsonValue | undefined {
  return object[name] ?? undefined;
}

/** As upstream: another type than JSON is refused, and so is none. */
export function requireJson(contentType: string | undefined): void {
  const type = (contentType ?? "application/octet-stream").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json") return;
  throw new UnsupportedMediaType(
    `unsupported media type ${JSON.stringify(type.slice(0, 64))}, only [application/json] are allowed`,
  );
}

function proposedEntry(object: JsonObject, path: string): ProposedEntry {
  const kind = optionalText(object, "kind", `${path}kind`);
  if (kind === undefined) throw violation.required(`${path}kind`, "body");
  if (!KINDS.has(kind)) throw violation.unprocessable(`invalid kind value: ${JSON.stringify(kind.slice(0, 64))}`);
  const apiVersion = optionalText(object, "apiVersion", `${path}apiVersion`);
  if (apiVersion === undefined) throw violation.required(`${path}apiVersion`, "body");
  if (apiVersion.length > MAX_VERSION_LENGTH || !SEMVER_PATTERN.test(apiVersion)) {
    throw violation.pattern(`${path}apiVersion`, "body", SEMVER);
  }
  const spec = member(object, "spec");
  if (spec === undefined) throw violation.required(`${path}spec`, "body");
  if (!isObject(spec)) throw new Malformed(`${path}spec: not an object`);
  for (const name of Object.keys(object)) {
    if (name !== "kind" && name !== "apiVersion" && name !== "spec") {
      throw new Malformed(`${path}${name.slice(0, 64)}: no such member in a proposed entry`);
    }
  }
  return { kind, apiVersion, spec };
}

function list(object: JsonObject, name: string): readonly JsonValue[] {
  const value = member(object, name);
  if (value === undefined) return [];
  if (!isList(value)) throw new Malformed(`${name}: not an array`);
  if (value.length === 0) throw violation.tooFewItems(name, "body", 1);
  if (value.length > MAX_QUERIES) throw violation.tooManyItems(name, "body", MAX_QUERIES);
  return value;
}
