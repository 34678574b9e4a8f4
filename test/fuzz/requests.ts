import { bendJson, bendJsonText, type Json } from "./bend-json.ts";
import { bendBytes } from "./bend-bytes.ts";
import type { Chance } from "./chance.ts";
import { freshHashedrekord, type Seeds } from "./seeds.ts";

export interface FuzzRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const NOTHING = Buffer.alloc(0);
const DAY = "2026-01-01T00:00:00Z";

/** One request; most are one step away from one that is good. */
export function fuzzRequest(seeds: Seeds, chance: Chance): FuzzRequest {
  const roll = chance.next();
  if (roll < 0.5) return post("/api/v1/log/entries", bent(chance.pick(seeds.v1), seeds.v1, chance), chance);
  if (roll < 0.52) return post("/api/v1/log/entries", Buffer.from(JSON.stringify(freshHashedrekord())), chance);
  if (roll < 0.67) return post("/api/v2/log/entries", bent(chance.pick(seeds.v2), seeds.v2, chance), chance);
  if (roll < 0.75)
    return post("/api/v1/log/entries/retrieve", bent(entryQuery(seeds, chance), seeds.v1, chance), chance);
  if (roll < 0.83) return post("/api/v1/index/retrieve", bent(indexQuery(seeds, chance), seeds.v1, chance), chance);
  return { method: "GET", path: readPath(chance), headers: {}, body: NOTHING };
}

function bent(seed: Json, donors: readonly Json[], chance: Chance): Buffer {
  let json = seed;
  for (let times = chance.pick([0, 1, 1, 1, 1, 2, 3]); times > 0; times--) json = bendJson(json, donors, chance);
  const text = JSON.stringify(json);
  return chance.in(0.15) ? bendJsonText(text, chance) : Buffer.from(text);
}

function post(path: string, body: Buffer, chance: Chance): FuzzRequest {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (chance.in(0.02))
    headers["Content-Type"] = chance.pick(["text/plain", "application/json; charset=x", "", "a/b/c"]);
  if (chance.in(0.01)) headers["Content-Encoding"] = chance.pick(["gzip", "identity", "br", "x"]);
  if (chance.in(0.02)) headers["Transfer-Encoding"] = "chunked";
  if (chance.in(0.02))
    headers["Authorization"] = chance.pick(["Bearer a.b.c", "Bearer", "Basic x", "Bearer  ey.ey.ey"]);
  return { method: "POST", path, headers, body };
}

function entryQuery(seeds: Seeds, chance: Chance): Json {
  const roll = chance.next();
  if (roll < 0.5) return { entries: Array.from({ length: 1 + chance.below(10) }, () => chance.pick(seeds.v1)) };
  if (roll < 0.75) return { logIndexes: Array.from({ length: 1 + chance.below(10) }, () => chance.below(100)) };
  return { entryUUIDs: [chance.bytes(chance.pick([32, 40])).toString("hex")] };
}

function indexQuery(seeds: Seeds, chance: Chance): Json {
  const hash = chance.bytes(chance.pick([20, 32, 48, 64])).toString("hex");
  const signature = (chance.pick(seeds.v1) as { spec: { signature?: Json } }).spec.signature ?? null;
  return chance.pick<Json>([
    { hash },
    { hash: `sha256:${hash}` },
    { email: "someone@example.com", operator: chance.pick(["and", "or"]) },
    { subject: "https://example.com/a", hash },
    { publicKey: { format: chance.pick(["x509", "pgp", "ssh", "minisign", "tuf"]), content: "QUFB" } },
    { publicKey: { format: "x509", content: typeof signature === "object" ? signature : "" } },
  ]);
}

const PATHS: readonly ((chance: Chance) => string)[] = [
  (chance) => `/api/v1/log/entries?logIndex=${number(chance)}`,
  (chance) => `/api/v1/log/entries/${hex(chance)}`,
  (chance) => `/api/v1/log/proof?firstSize=${number(chance)}&lastSize=${number(chance)}&treeID=${number(chance)}`,
  (chance) => `/api/v1/log/publicKey?treeID=${number(chance)}`,
  (chance) => `/api/v1/log?stable=${number(chance)}`,
  (chance) => `/api/v1/log/${tile(chance)}`,
  (chance) => `/api/v2/${tile(chance)}`,
  (chance) => `/${tile(chance)}`,
  (chance) => `/api/v2/checkpoint?${number(chance)}`,
  (chance) => `/api/v1/log/checkpoint/${number(chance)}`,
  search,
  (chance) =>
    `/api/chancery/v1/entries/${chance.pick(["rekor", "rekor-v2", "x"])}/${chance.in(0.5) ? number(chance) : hex(chance)}`,
  (chance) =>
    `/api/chancery/v1/logs/rekor/growth?interval=${chance.pick(["hour", "day", "year"])}&from=${DAY}&to=${number(chance)}`,
  (chance) => `/api/chancery/v1/identities?san=${parameterText(chance)}&issuer=${parameterText(chance)}`,
];

function readPath(chance: Chance): string {
  const path = chance.pick(PATHS)(chance);
  if (chance.in(0.7)) return path;
  // In the alphabet of request targets: what is not, Node's client would refuse to send.
  return `/${bendBytes(Buffer.from(path.slice(1)), chance)
    .toString("latin1")
    .replaceAll(/[^!-~]/g, escaped)}`.slice(0, 12_000);
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, "0").slice(-2)}`;
}

function number(chance: Chance): string {
  return chance.pick([
    "0",
    "1",
    "7",
    "-1",
    "+3",
    "00",
    "1e3",
    "0x10",
    "",
    "9".repeat(19),
    "9".repeat(400),
    "9223372036854775807",
    "1.5",
    "NaN",
    "%00",
    "1&logIndex=2",
  ]);
}

function hex(chance: Chance): string {
  return chance.bytes(chance.pick([0, 1, 31, 32, 33, 40, 41, 200])).toString("hex");
}

function tile(chance: Chance): string {
  const level = chance.pick(["0", "1", "63", "64", "-1", "entries", "00", "x"]);
  const index = chance.pick([
    "000",
    "001",
    "x001/000",
    "x999/999",
    "0",
    "000.p/1",
    "000.p/255",
    "000.p/256",
    "000.p/0",
    "%2e%2e/000",
    "x001/".repeat(50),
  ]);
  return `tile/${level}/${index}`;
}

const PARAMETERS = [
  ..."digest key san sanPrefix sanGlob sanDomain issuer sourceRepositoryUri buildTrigger kind predicateType".split(" "),
  ..."subjectDigest subjectName log from to order limit cursor githubWorkflowRef nonsense".split(" "),
];

function search(chance: Chance): string {
  const names = Array.from({ length: chance.below(5) }, () => chance.pick(PARAMETERS));
  return `/api/chancery/v1/search?${names.map((name) => `${name}=${parameterText(chance)}`).join("&")}`;
}

function parameterText(chance: Chance): string {
  const plain = chance.pick([
    "a",
    "*",
    "abc*",
    "https://*",
    "a@b.example",
    "example.com",
    "sha256:",
    DAY,
    "newest",
    "hashedrekord",
    "rekor",
    "1",
    "500",
    "501",
    "-----BEGIN",
    "%",
    "_",
    "\u0000",
    "💥",
    "a".repeat(5_000),
    hex(chance),
    number(chance),
  ]);
  return encodeURIComponent(plain);
}
