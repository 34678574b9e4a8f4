import { decodeBase64, der, type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";
import { isPolicy } from "./oid.ts";
import { encodeHashIdentifier, MAX_NONCE_BYTES, timestampRequest, type TimestampRequest } from "./timestamp-request.ts";

/** Upstream's bound; the largest sensible request has about 400 bytes. */
export const MAX_JSON_BYTES = 1024;

const FIELD = "timestamp request";
const KEYS: ReadonlySet<string> = new Set(["artifactHash", "hashAlgorithm", "certificates", "nonce", "tsaPolicyOID"]);
const HASHES = ["sha256", "sha384", "sha512"] as const;

/**
 * Upstream's other form, which sigstore-js sends:
 * `{"artifactHash": base64, "hashAlgorithm": "sha256", "certificates": bool, "nonce": integer, "tsaPolicyOID": "1.2.3"}`.
 */
export function parseTimestampRequestJson(bytes: Uint8Array): TimestampRequest {
  const json = parseJson(bytes, FIELD, { maxBytes: MAX_JSON_BYTES, maxDepth: 2, roundIntegers: true });
  if (!isObject(json)) throw new Malformed(`${FIELD}: not an object`);
  const unknown = Object.keys(json).find((key) => !KEYS.has(key));
  if (unknown !== undefined) throw new Malformed(`${FIELD}: ${JSON.stringify(unknown)} is not known`);
  const hash = parseHash(json["hashAlgorithm"]);
  const digest = decodeBase64(text(json, "artifactHash"), `${FIELD}: artifactHash`);
  const wantsCertificate = json["certificates"] ?? false;
  if (typeof wantsCertificate !== "boolean") throw new Malformed(`${FIELD}: certificates is not true or false`);
  return timestampRequest(
    { hash, digest, hashIdentifier: encodeHashIdentifier(hash), wantsCertificate },
    parsePolicy(json),
    parseNonce(json["nonce"], bytes),
  );
}

function parseHash(value: JsonValue | undefined) {
  const hash = HASHES.find((name) => name === value);
  if (hash === undefined) throw new Unsupported(`${FIELD}: hashAlgorithm is not ${HASHES.join(", ")}`);
  return hash;
}

function parsePolicy(json: JsonObject): string | undefined {
  if (json["tsaPolicyOID"] === undefined || json["tsaPolicyOID"] === "") return undefined;
  const policy = text(json, "tsaPolicyOID");
  if (!isPolicy(policy)) throw new Malformed(`${FIELD}: tsaPolicyOID is not an OID`);
  return policy;
}

/** A double would round a 64-bit nonce, and the client would see another one come back: its digits are read instead. */
function parseNonce(value: JsonValue | undefined, bytes: Uint8Array): Uint8Array | undefined {
  if (value === undefined || value === null) return undefined;
  const digits = nonceDigits(new TextDecoder().decode(bytes));
  if (typeof value !== "number" || !/^-?\d+$/.test(digits)) throw new Malformed(`${FIELD}: nonce is not an integer`);
  const nonce = der.integer(BigInt(digits));
  if (nonce.length > MAX_NONCE_BYTES + 2)
    throw new Malformed(`${FIELD}: nonce is longer than ${MAX_NONCE_BYTES} bytes`);
  return nonce;
}

function nonceDigits(json: string): string {
  let digits = "";
  const read = (key: string, value: unknown, context: { readonly source?: string }) => {
    if (key === "nonce") digits = context.source ?? "";
    return value;
  };
  // The third argument is ECMAScript's JSON.parse source text access, which the type library does not know yet.
  JSON.parse(json, read as (key: string, value: unknown) => unknown);
  return digits;
}

function text(json: JsonObject, key: string): string {
  const value = json[key];
  if (typeof value !== "string") throw new Malformed(`${FIELD}: ${key} is not a string`);
  return value;
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
