import { bendBytes } from "./bend-bytes.ts";
import type { Chance } from "./chance.ts";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const BASE64 = /^[A-Za-z0-9+/_-]{8,}={0,2}$/;
const PEM = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([^-]*)-----END \1-----/;

const STRANGE: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  0.1,
  "",
  " ",
  "\u0000",
  "\ud800",
  "💥",
  "../../etc/passwd",
  "%00",
  "' OR 1=1 --",
  "__proto__",
  "constructor",
  "http://127.0.0.1:1/",
  [],
  {},
  [[]],
  [null],
  { __proto__: null, toString: 1 },
];

const NAMES = [
  ..."kind apiVersion spec data hash algorithm value signature content publicKey format url package archive chart".split(
    " ",
  ),
  ..."provenance tsr message aad proposedContent envelope verifiers payload payloadType signatures sig keyid".split(
    " ",
  ),
  ..."metadata root digest verifier rawBytes keyDetails x509Certificate hashedRekordRequestV002 dsseRequestV002".split(
    " ",
  ),
  ..."entries entryUUIDs logIndexes email subject operator __proto__ constructor toString hasOwnProperty length".split(
    " ",
  ),
];

/** One change somewhere in the tree; of a text that is something else encoded, most often inside that. */
export function bendJson(root: Json, donors: readonly Json[], chance: Chance): Json {
  // Not structuredClone: it keeps that two places hold the same object, and a change of one would be of both.
  const copy = JSON.parse(JSON.stringify(root)) as Json;
  const places = placesOf(copy);
  if (places.length === 0) return chance.pick(STRANGE);
  const { holder, name } = chance.pick(places);
  const slots = holder as Record<string | number, Json>;
  const value = slots[name] ?? null;
  const roll = chance.next();
  if (typeof value === "string" && roll < 0.6) slots[name] = bendText(value, donors, chance);
  else if (roll < 0.7) slots[name] = chance.pick(STRANGE);
  else if (roll < 0.78 && !Array.isArray(holder)) delete slots[name];
  else if (roll < 0.85) slots[name] = pieceOf(chance.pick(donors), chance);
  else if (roll < 0.92 && !Array.isArray(holder)) slots[chance.pick(NAMES)] = value;
  else if (roll < 0.96) slots[name] = nested(value, chance);
  else slots[name] = manyOf(value, chance.pick([2, 11, 101, 5_000]));
  return copy;
}

function bendText(text: string, donors: readonly Json[], chance: Chance): Json {
  const json = text.startsWith("{") || text.startsWith("[") ? tryJson(text) : undefined;
  if (json !== undefined && chance.in(0.8)) return JSON.stringify(bendJson(json, donors, chance));
  if (PEM.test(text) && chance.in(0.9)) return bendPem(text, chance);
  if (BASE64.test(text) && chance.in(0.9)) return bendBase64(text, donors, chance);
  const roll = chance.next();
  if (roll < 0.2) return text.toUpperCase();
  if (roll < 0.3) return text.repeat(2);
  if (roll < 0.35) return text.padEnd(chance.pick([1_000, 100_000, 1_000_000]), "a");
  return bendBytes(Buffer.from(text), chance).toString(chance.in(0.5) ? "latin1" : "utf8");
}

function bendPem(text: string, chance: Chance): string {
  if (chance.in(0.15)) return text + text;
  if (chance.in(0.1)) return bendBytes(Buffer.from(text), chance).toString("latin1");
  return text.replace(PEM, (_all, label: string, body: string) => {
    const bent = bendBytes(Buffer.from(body, "base64"), chance).toString("base64");
    const lines = bent.match(/.{1,64}/g) ?? [];
    return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----`;
  });
}

function bendBase64(text: string, donors: readonly Json[], chance: Chance): string {
  const bytes = Buffer.from(text, "base64");
  const inner = bytes.toString("utf8");
  const isText = /^[\t\n\r\x20-\x7e]+$/.test(inner.slice(0, 200));
  const bent = isText && chance.in(0.7) ? bendText(inner, donors, chance) : bendBytes(bytes, chance);
  const encoded = Buffer.from(typeof bent === "string" || Buffer.isBuffer(bent) ? bent : "").toString("base64");
  return chance.in(0.05) ? encoded.replace(/=+$/, "") : encoded;
}

/** More than any API takes, and no more than a client can send. */
const MAX_BYTES = 12 * 1024 * 1024;

function manyOf(value: Json, wanted: number): Json {
  const most = Math.floor(MAX_BYTES / (JSON.stringify(value).length + 1));
  return Array.from({ length: Math.min(wanted, most) }, () => value);
}

function nested(value: Json, chance: Chance): Json {
  let deep = value;
  for (let depth = chance.pick([2, 31, 33, 200]); depth > 0; depth--) deep = chance.in(0.5) ? [deep] : { a: deep };
  return deep;
}

interface Place {
  readonly holder: Json[] | { [name: string]: Json };
  readonly name: string | number;
}

function placesOf(root: Json): Place[] {
  const places: Place[] = [];
  const waiting: Json[] = [root];
  for (let holder = waiting.pop(); holder !== undefined; holder = waiting.pop()) {
    if (typeof holder !== "object" || holder === null) continue;
    const names = Array.isArray(holder) ? [...holder.keys()].slice(0, 50) : Object.keys(holder);
    for (const name of names) {
      places.push({ holder, name });
      waiting.push((holder as Record<string | number, Json>)[name] ?? null);
    }
  }
  return places;
}

function pieceOf(donor: Json, chance: Chance): Json {
  const places = placesOf(donor);
  if (places.length === 0) return donor;
  const { holder, name } = chance.pick(places);
  return structuredClone((holder as Record<string | number, Json>)[name] ?? null);
}

function tryJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** JSON as no serialiser writes it. */
export function bendJsonText(text: string, chance: Chance): Buffer {
  const roll = chance.next();
  if (roll < 0.15) return Buffer.from(text.replace(/"([a-zA-Z]+)":/, (all) => `${all}null,${all}`));
  if (roll < 0.25) return Buffer.from("[".repeat(chance.pick([31, 33, 10_000, 1_000_000])));
  if (roll < 0.3) return Buffer.from(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`);
  if (roll < 0.4) return Buffer.from(`\ufeff${text}`);
  if (roll < 0.5) return Buffer.from(`${text}${chance.pick(["x", "{}", "\u0000", text])}`);
  if (roll < 0.6) return Buffer.concat([Buffer.from(text.slice(0, 40)), chance.bytes(4), Buffer.from(text.slice(40))]);
  if (roll < 0.7) return Buffer.from(text.replace(/"[^"]*"/, '"\\ud800\\udc"'));
  if (roll < 0.75) return Buffer.from(text.replace(/:"/, `:${"9".repeat(chance.pick([20, 400, 100_000]))},"x":"`));
  if (roll < 0.8) return chance.bytes(chance.below(2_000));
  return bendBytes(Buffer.from(text), chance);
}
