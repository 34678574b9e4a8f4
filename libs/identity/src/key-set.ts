import { createPublicKey } from "node:crypto";
import { decodeBase64Lenient, type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { createLocalJWKSet } from "jose";
import type { KeySet } from "./token-signature.ts";

const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** Issuers have a handful, a SPIRE of many servers some dozens. */
const MAX_KEYS = 100;
/** A hundred keys with certificates and thumbprints have 2,000. A MiB of 110,000 kept the process from all else for 0.4 s. */
const MAX_VALUES = 10_000;

/**
 * RFC 7517, Section 5: what is of another type, use or algorithm stays out. At least one key must be left: a file
 * that is being written must not replace the keys there were. A SPIFFE trust bundle is such a set, too.
 */
export function parseKeySet(bytes: Uint8Array): KeySet {
  const { keys: all } = parseObject(bytes);
  if (!Array.isArray(all)) throw new Malformed("JWK set: has no keys");
  if (!all.every((key) => typeof key === "object" && key !== null && !Array.isArray(key))) {
    throw new Malformed("JWK set: a key is no JWK");
  }
  if (all.length > MAX_KEYS) throw new Malformed(`JWK set: has more than ${MAX_KEYS} keys`);
  const keys = (all as JsonObject[]).filter(isVerificationKey).map(kept).filter(isShort);
  if (keys.length === 0) throw new Malformed("JWK set: has no key that verifies signatures");
  try {
    return createLocalJWKSet({ keys });
  } catch (cause) {
    throw new Malformed("JWK set: a key is no JWK", { cause });
  }
}

/** SPIFFE Trust Domain and Bundle, Section 4.2.2: the keys of a trust bundle that JWT-SVIDs are signed with. */
const SPIFFE_USE = "jwt-svid";

/** What a key is chosen and imported by; a null says no more than nothing does, as Go reads it. */
const MEMBERS = ["kty", "use", "alg", "kid", "crv", "n", "e", "x", "y"];

/** Nothing else stays in memory: a hundred tenants with a MiB of certificates beside their keys were 300 MB. */
function kept(key: JsonObject): JsonObject {
  const members = MEMBERS.map((name) => [name, key[name]] as const);
  return Object.fromEntries(
    members.filter(
      ([name, value]) => value !== undefined && value !== null && !(name === "use" && value === SPIFFE_USE),
    ),
  ) as JsonObject;
}

/** An RSA key of 8192 bits with the longest ID that a token may name. */
const MAX_KEY_CHARACTERS = 4_096;

function isShort(key: JsonObject): boolean {
  return JSON.stringify(key).length <= MAX_KEY_CHARACTERS;
}

/** RFC 7518, Section 6. jose chooses by `use`, `key_ops`, `alg` and curve; what it would take and should not is left out here. */
function isVerificationKey(key: JsonObject): boolean {
  // A private key that was published is anyone's.
  if ("d" in key || "k" in key) return false;
  if (![undefined, null, "sig", SPIFFE_USE].some((use) => key["use"] === use)) return false;
  const operations = key["key_ops"];
  // A public key cannot do what stands there beside: jose would refuse it whole.
  if (Array.isArray(operations) && !operations.includes("verify")) return false;
  if (key["kty"] === "EC" || key["kty"] === "OKP") return isReadable(key);
  return key["kty"] === "RSA" && isSound(key["n"], key["e"]);
}

/** jose would find out anew for each token that fits: 7,500 points off the curve in a set were 2 s for anyone's token. */
function isReadable(key: JsonObject): boolean {
  try {
    createPublicKey({ key, format: "jwk" });
    return true;
  } catch {
    return false;
  }
}

/** Up to 8192 bits, so that one token costs no more than a millisecond; with the exponent 1 anyone's text verifies. */
function isSound(modulus: JsonValue | undefined, exponent: JsonValue | undefined): boolean {
  const [n, e] = [octets(modulus), octets(exponent)];
  if (n.length < 256 || n.length > 1025 || e.length === 0 || e.length > 4) return false;
  const value = e.reduce((sum, octet) => sum * 256 + octet, 0);
  return value >= 3 && value % 2 === 1;
}

function octets(value: JsonValue | undefined): Uint8Array {
  try {
    return typeof value === "string" ? decodeBase64Lenient(value, "JWK") : new Uint8Array();
  } catch {
    return new Uint8Array();
  }
}

function parseObject(bytes: Uint8Array): JsonObject {
  const field = "JWK set";
  const value = parseJson(bytes, field, { maxBytes: MAX_DOCUMENT_BYTES, maxValues: MAX_VALUES, roundIntegers: true });
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Malformed(`${field}: no object`);
  return value as JsonObject;
}
