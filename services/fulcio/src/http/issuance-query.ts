import { sha256 } from "@chancery/crypto";
import { decodeHex, encodeHex, parseRfc3339, utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { CertificatePlace, CertificateQuery, RefusalQuery, TimeRange } from "../domain/issuance-history.ts";
import type { RefusalCursor } from "../domain/issuance-ledger.ts";
import { REFUSAL_CODES } from "../domain/refusal-code.ts";

/** As Fastify hands them over: a repeated name is an array. */
export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

const DEFAULT_LIMIT = 50;
const MOST = 500;
/** A request's head has 16 kB for all of them. */
const MAX_CHARACTERS = 8_192;
const DAY = 86_400_000;
const DEFAULT_DAYS = 30;
const SHARED_MS = 10_000;
const MAX_DAYS = 366;
const SERIAL_DIGITS = 40;

const LIST = ["from", "to", "order", "limit", "cursor"];

export function readCertificateQuery(parameters: Parameters): CertificateQuery {
  const read = new ParameterReader(parameters, ["san", "issuer", "subject", "serial", "keyHash", ...LIST]);
  const [serial, keyHash] = [read.text("serial"), read.text("keyHash")];
  return {
    san: read.text("san"),
    issuer: read.text("issuer"),
    subject: read.text("subject"),
    serial: serial === undefined ? undefined : parseSerial(serial),
    keyHash: keyHash === undefined ? undefined : parseHash(keyHash, "keyHash"),
    ...readPage(read, certificatePlace),
  };
}

export function readRefusalQuery(parameters: Parameters): RefusalQuery {
  const read = new ParameterReader(parameters, ["issuer", "subject", "code", ...LIST]);
  const text = read.text("code");
  const code = REFUSAL_CODES.find((known) => known === text);
  if (text !== undefined && code === undefined) throw new Malformed(`code: is none of ${REFUSAL_CODES.join(", ")}`);
  return { issuer: read.text("issuer"), subject: read.text("subject"), code, ...readPage(read, refusalPlace) };
}

/** Without one, the last thirty days. */
export function readSummaryRange(parameters: Parameters, now: number): TimeRange {
  return readRange(new ParameterReader(parameters, ["from", "to"]), now);
}

export function readUnusedQuery(parameters: Parameters, now: number) {
  const read = new ParameterReader(parameters, ["from", "to", "cursor"]);
  return { ...readRange(read, now), after: readCursor(read, certificatePlace) };
}

/** Without colons or with them, its leading zeros left out or not, as tools show it. */
export function parseSerial(text: string): Uint8Array {
  const digits = text.replaceAll(":", "").padStart(SERIAL_DIGITS, "0");
  if (!new RegExp(`^[0-9a-fA-F]{${SERIAL_DIGITS}}$`).test(digits)) {
    throw new Malformed("serial: is not a serial number of 20 bytes in hexadecimal");
  }
  return decodeHex(digits, "serial");
}

/** Opaque to clients, and good for the same filters alone. */
export function encodeCursor(parameters: Parameters, place: CertificatePlace | RefusalCursor): string {
  const at = "serial" in place ? encodeHex(place.serial) : String(place.place);
  return `${place.time}.${at}.${filtersDigest(parameters)}`;
}

function readRange(read: ParameterReader, now: number): TimeRange {
  // The next full ten seconds, so that all who ask until then ask for the same.
  const to = read.time("to") ?? (Math.floor(now / SHARED_MS) + 1) * SHARED_MS;
  const from = read.time("from") ?? to - DEFAULT_DAYS * DAY;
  if (from >= to) throw new Malformed("from: is not before to");
  if (to - from > MAX_DAYS * DAY) throw new Malformed(`from: is more than ${MAX_DAYS} days before to`);
  return { from, to };
}

function readPage<Place>(read: ParameterReader, placeOf: (time: number, at: string) => Place | undefined) {
  const [order = "newest", limit = String(DEFAULT_LIMIT)] = [read.text("order"), read.text("limit")];
  if (order !== "newest" && order !== "oldest") throw new Malformed("order: is neither newest nor oldest");
  if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > MOST) {
    throw new Malformed(`limit: is not a number from 1 to ${MOST}`);
  }
  const [from, to] = [read.time("from"), read.time("to")];
  return { from, to, order, limit: Number(limit), after: readCursor(read, placeOf) } as const;
}

function readCursor<Place>(
  read: ParameterReader,
  placeOf: (time: number, at: string) => Place | undefined,
): Place | undefined {
  const text = read.text("cursor");
  if (text === undefined) return undefined;
  const [, time, at = "", filters] = /^(\d{1,15})\.([0-9a-f]{1,40})\.([0-9a-f]{16})$/.exec(text) ?? [];
  const place = time === undefined ? undefined : placeOf(Number(time), at);
  if (place === undefined) throw new Malformed("cursor: is not one that was answered here");
  if (filters !== filtersDigest(read.parameters)) throw new Malformed("cursor: belongs to other filters");
  return place;
}

function certificatePlace(time: number, at: string): CertificatePlace | undefined {
  return at.length === SERIAL_DIGITS ? { time, serial: decodeHex(at, "cursor") } : undefined;
}

function refusalPlace(time: number, at: string): RefusalCursor | undefined {
  return /^\d{1,18}$/.test(at) ? { time, place: BigInt(at) } : undefined;
}

/** Of all that chooses and orders; how many come at a time may change on the way. */
function filtersDigest(parameters: Parameters): string {
  const filters = Object.entries(parameters).filter(([name]) => name !== "cursor" && name !== "limit");
  return encodeHex(sha256(utf8(JSON.stringify(filters.toSorted(([a], [b]) => (a < b ? -1 : 1)))))).slice(0, 16);
}

function parseHash(text: string, name: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new Malformed(`${name}: is not a SHA-256 in hexadecimal`);
  return decodeHex(text, name);
}

class ParameterReader {
  readonly parameters: Parameters;

  constructor(parameters: Parameters, known: readonly string[]) {
    this.parameters = parameters;
    const strange = Object.keys(parameters).find((name) => !known.includes(name));
    if (strange !== undefined) {
      throw new Malformed(`${strange.slice(0, 64)}: there is no such parameter, only ${known.join(", ")}`);
    }
  }

  text(name: string): string | undefined {
    const value = this.parameters[name];
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw new Malformed(`${name}: is given more than once`);
    if (value === "") throw new Malformed(`${name}: is empty`);
    if (value.length > MAX_CHARACTERS) throw new Malformed(`${name}: has more than ${MAX_CHARACTERS} characters`);
    // PostgreSQL has no such text, so nothing in the ledger has.
    if (value.includes("\0")) throw new Malformed(`${name}: has a NUL character`);
    return value;
  }

  /** Milliseconds since the epoch. */
  time(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const time = parseRfc3339(text);
    if (time === undefined) throw new Malformed(`${name}: is not a time as in 2026-11-21T16:00:00Z`);
    if (time < 0) throw new Malformed(`${name}: is before 1970`);
    return time;
  }
}
