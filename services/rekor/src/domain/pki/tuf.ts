import { constants, verify } from "node:crypto";
import { parsePublicKeyPem, type PublicKey, verifySignature } from "@chancery/crypto";
import {
  canonicalJson,
  decodeHex,
  encodeHex,
  type JsonObject,
  type JsonValue,
  parseJson,
  utf8,
} from "@chancery/encoding";
import { Malformed, TooLarge, Unsupported, Unverified } from "@chancery/fault";
import { canonicalize } from "@tufjs/canonical-json";
import type { VerificationBudget } from "../verification-budget.ts";
import { ecdsaPublicKey, ed25519PublicKey } from "./raw-public-key.ts";
import type { SigningKey } from "./signing-key.ts";

/** `{ signed, signatures }`, TUF 1.0.33, 4.2.1. */
export interface TufMetadata {
  /** RFC 8785, with the members that are named above and in a signature, and no others. */
  readonly canonical: Uint8Array;
  readonly signed: JsonObject;
  readonly signatures: readonly TufSignature[];
  readonly role: string;
  readonly version: number;
}

interface TufSignature {
  readonly keyId: string;
  readonly bytes: Uint8Array;
}

/** A root that signs itself: what metadata is verified by. */
export interface TufRoot extends SigningKey {
  readonly specVersion: string;
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles: JsonObject;
}

interface TufKey {
  readonly publicKey: PublicKey;
  readonly type: string;
}

/** Both documents are in the entry, base64 of their canonical forms: more than this could not be logged. */
const MAX_METADATA_BYTES = 49_152;
const MAX_KEYS = 64;
const MAX_SIGNATURES = 64;

export function parseTufMetadata(document: Uint8Array | JsonValue, field: string): TufMetadata {
  const json =
    document instanceof Uint8Array ? parseJson(document, field, { maxBytes: 4 * MAX_METADATA_BYTES }) : document;
  requireShort(json, field);
  const metadata = objectAt(json, field);
  const signed = objectAt(metadata["signed"], `${field}.signed`);
  const signatures = listAt(metadata["signatures"] ?? [], `${field}.signatures`).map((each, place) =>
    parseSignature(each, `${field}.signatures.${place}`),
  );
  if (signatures.length > MAX_SIGNATURES) throw new Malformed(`${field}.signatures: more than ${MAX_SIGNATURES}`);
  const canonical = utf8(
    canonicalJson({
      signatures: signatures.map(({ keyId, bytes }) => ({ keyid: keyId, sig: encodeHex(bytes) })),
      signed,
    }),
  );
  if (canonical.length > MAX_METADATA_BYTES) throw new TooLarge(`${field}: longer than ${MAX_METADATA_BYTES} bytes`);
  return {
    canonical,
    signed,
    signatures,
    role: textAt(signed["_type"], `${field}.signed._type`),
    version: integerAt(signed["version"], `${field}.signed.version`),
  };
}

/** Before anything is sorted and written: 8 MB written out took 0.7 s, to be found too long. */
function requireShort(json: JsonValue, field: string): void {
  let left = 4 * MAX_METADATA_BYTES;
  const waiting: JsonValue[] = [json];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    left -= typeof value === "string" ? value.length : 1;
    if (left < 0) throw new TooLarge(`${field}: longer than ${MAX_METADATA_BYTES} bytes`);
    if (typeof value !== "object" || value === null) continue;
    for (const [name, member] of Object.entries(value)) {
      left -= name.length;
      waiting.push(member);
    }
  }
}

/** A root MUST be signed by a threshold of its own keys, and every key in it MUST be one that can verify. */
export function parseTufRoot(document: Uint8Array | JsonValue, field: string, budget: VerificationBudget): TufRoot {
  const metadata = parseTufMetadata(document, field);
  const { signed } = metadata;
  const keys = Object.entries(objectAt(signed["keys"], `${field}.signed.keys`));
  if (keys.length > MAX_KEYS) throw new Malformed(`${field}.signed.keys: more than ${MAX_KEYS}`);
  const root: TufRoot = {
    canonical: metadata.canonical,
    subjects: [],
    specVersion: textAt(signed["spec_version"], `${field}.signed.spec_version`),
    keys: new Map(keys.map(([id, key]) => [id, parseKey(key, `${field}.signed.keys.${id.slice(0, 64)}`)])),
    roles: objectAt(signed["roles"], `${field}.signed.roles`),
  };
  if (metadata.role !== "root") throw new Malformed(`${field}.signed._type: not "root"`);
  verifyTufMetadata(metadata, root, field, budget);
  return root;
}

/**
 * TUF 1.0.33, 5.3.4 and the like: "a threshold of keys" of the role, each key counted once under whatever IDs.
 *
 * The clock is not asked, as for certificates: what has expired may be logged.
 */
export function verifyTufMetadata(
  metadata: TufMetadata,
  root: TufRoot,
  field: string,
  budget: VerificationBudget,
): void {
  const role = objectAt(root.roles[metadata.role], `${field}.signed._type: a role that`);
  const ids = new Set(listAt(role["keyids"], "root.signed.roles.keyids"));
  const threshold = integerAt(role["threshold"], "root.signed.roles.threshold");
  if (threshold < 1) throw new Malformed("root.signed.roles.threshold: less than 1");
  const message = signedBytes(metadata, field);
  const verified = new Set<string>();
  for (const { keyId, bytes } of metadata.signatures) {
    const key = ids.has(keyId) ? root.keys.get(keyId) : undefined;
    if (key === undefined) continue;
    budget.spend(key.publicKey, field);
    if (verifyWith(key, message, bytes)) verified.add(encodeHex(key.publicKey.spki));
  }
  if (verified.size < threshold) {
    throw new Unverified(`${field}.signatures: ${verified.size} of the ${threshold} that the root asks for`);
  }
}

/** Canonical JSON has integers only (wiki.laptop.org/go/Canonical_JSON): nobody can have signed another number. */
function signedBytes({ signed }: TufMetadata, field: string): Uint8Array {
  try {
    return utf8(canonicalize(signed));
  } catch (cause) {
    throw new Malformed(`${field}.signed: has a number that is not an integer`, { cause });
  }
}

/** rsassa-pss-sha256 with a salt of any length, ecdsa-sha2-nistp256, ed25519. TUF 1.0.33, 4.2. */
function verifyWith({ publicKey, type }: TufKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (type !== "rsa") return verifySignature(publicKey, message, signature, "sha256");
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
  return verify("sha256", message, { key: publicKey.keyObject, ...padding }, signature);
}

const FAMILIES: Readonly<Record<string, string>> = { rsa: "rsa", ecdsa: "ecdsa", "ecdsa-sha2-nistp256": "ecdsa" };

const UNCOMPRESSED_P256 = /^04[0-9a-f]{128}$/;

function parseKey(value: JsonValue, field: string): TufKey {
  const key = objectAt(value, field);
  const type = textAt(key["keytype"], `${field}.keytype`);
  const text = textAt(objectAt(key["keyval"], `${field}.keyval`)["public"], `${field}.keyval.public`);
  if (type === "ed25519")
    return { type, publicKey: ed25519PublicKey(decodeHex(text, `${field}.keyval.public`), field) };
  const family = Object.hasOwn(FAMILIES, type) ? FAMILIES[type] : undefined;
  if (family === undefined)
    throw new Unsupported(`${field}.keytype: ${JSON.stringify(type.slice(0, 64))} is not accepted`);
  // Sigstore's own first roots have the point in hex, from before TUF 1.0.32.
  const publicKey = UNCOMPRESSED_P256.test(text)
    ? ecdsaPublicKey("nistp256", decodeHex(text, `${field}.keyval.public`), field)
    : parsePublicKeyPem(text, `${field}.keyval.public`);
  if (!publicKey.algorithm.startsWith(family)) throw new Malformed(`${field}.keyval.public: not a key of type ${type}`);
  return { type, publicKey };
}

function parseSignature(value: JsonValue, field: string): TufSignature {
  const signature = objectAt(value, field);
  return {
    keyId: textAt(signature["keyid"], `${field}.keyid`),
    bytes: decodeHex(textAt(signature["sig"], `${field}.sig`), `${field}.sig`),
  };
}

function objectAt(value: JsonValue | undefined, field: string): JsonObject {
  if (typeof value === "object" && value !== null && !isList(value)) return value;
  throw new Malformed(`${field}: is no object`);
}

function listAt(value: JsonValue | undefined, field: string): readonly JsonValue[] {
  if (value !== undefined && isList(value)) return value;
  throw new Malformed(`${field}: is no array`);
}

function textAt(value: JsonValue | undefined, field: string): string {
  if (typeof value === "string") return value;
  throw new Malformed(`${field}: is no string`);
}

function integerAt(value: JsonValue | undefined, field: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new Malformed(`${field}: is no integer`);
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
