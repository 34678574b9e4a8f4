import { createPublicKey } from "node:crypto";
import { pathToFileURL } from "node:url";
import { decodeBase64Lenient, type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { createLocalJWKSet } from "jose";
import type { ConcreteIssuer } from "./issuer-settings.ts";
import type { KeySet } from "./token-signature.ts";

/**
 * Gets one document of an issuer over HTTPS, or its key set from the file that its settings name.
 *
 * MUST verify TLS, MUST NOT follow a redirect to another host, MUST stop at 1 MiB and at the signal,
 * and MUST ask nobody but the URL's host.
 */
export type DocumentSource = (url: URL, issuer: ConcreteIssuer, signal: AbortSignal) => Promise<Uint8Array>;

const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** Issuers have a handful, a SPIRE of many servers some dozens. */
const MAX_KEYS = 100;

/** OpenID Connect Discovery 1.0, Section 4: the path is appended to the issuer, whose terminating slash goes. */
export function discoveryUrl(issuer: ConcreteIssuer): URL {
  return new URL(`${issuer.url.replace(/\/$/, "")}/.well-known/openid-configuration`);
}

/**
 * Where an issuer keeps its keys. Section 4.3: "The issuer value returned MUST be identical to the Issuer
 * URL that was directly used to retrieve the configuration information."
 *
 * An issuer that only a pattern vouches for must keep its keys on its own host: who controls one
 * tenant's document could otherwise point at keys of his own (GHSA-59jp-pj84-45mr and its kin).
 */
export function parseDiscovery(bytes: Uint8Array, issuer: ConcreteIssuer, mayUseLoopbackHttp: boolean): URL {
  const document = parseObject(bytes, "discovery document");
  if (document["issuer"] !== issuer.url) throw new Malformed("discovery document: names another issuer");
  const { jwks_uri: text } = document;
  if (typeof text !== "string" || !URL.canParse(text)) throw new Malformed("discovery document: jwks_uri is no URL");
  const url = new URL(text);
  const issuerUrl = new URL(issuer.url);
  const mayBeHttp = isLoopback(url.hostname) && (mayUseLoopbackHttp || issuerUrl.protocol === "http:");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && mayBeHttp)) {
    throw new Malformed("discovery document: jwks_uri is not https");
  }
  if (url.username !== "" || url.password !== "") throw new Malformed("discovery document: jwks_uri has a user");
  if (issuer.settings.isPattern && url.host !== issuerUrl.host) {
    throw new Malformed("discovery document: jwks_uri is on another host than the issuer");
  }
  return url;
}

/** Where the configuration says the keys are; undefined where discovery must tell. */
export function configuredKeysUrl({ settings: { keys } }: ConcreteIssuer): URL | undefined {
  if (keys?.type === "file") return pathToFileURL(keys.file);
  return keys?.type === "uri" ? new URL(keys.uri) : undefined;
}

/**
 * RFC 7517, Section 5: what is of another type, use or algorithm stays out. At least one key must be left: a file
 * that is being written must not replace the keys there were.
 */
export function parseKeySet(bytes: Uint8Array): KeySet {
  const { keys: all } = parseObject(bytes, "JWK set");
  if (!Array.isArray(all)) throw new Malformed("JWK set: has no keys");
  if (!all.every((key) => typeof key === "object" && key !== null && !Array.isArray(key))) {
    throw new Malformed("JWK set: a key is no JWK");
  }
  if (all.length > MAX_KEYS) throw new Malformed(`JWK set: has more than ${MAX_KEYS} keys`);
  const keys = (all as JsonObject[]).filter(isVerificationKey);
  if (keys.length === 0) throw new Malformed("JWK set: has no key that verifies signatures");
  try {
    return createLocalJWKSet({ keys });
  } catch (cause) {
    throw new Malformed("JWK set: a key is no JWK", { cause });
  }
}

/** RFC 7518, Section 6. jose chooses by `use`, `key_ops`, `alg` and curve; what it would take and should not is left out here. */
function isVerificationKey(key: JsonObject): boolean {
  // A private key that was published is anyone's.
  if ("d" in key || "k" in key) return false;
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

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

function parseObject(bytes: Uint8Array, field: string): JsonObject {
  const value = parseJson(bytes, field, { maxBytes: MAX_DOCUMENT_BYTES, roundIntegers: true });
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Malformed(`${field}: no object`);
  return value as JsonObject;
}
