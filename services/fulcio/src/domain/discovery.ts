import { pathToFileURL } from "node:url";
import { type JsonObject, parseJson } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { ConcreteIssuer } from "./issuer-settings.ts";

/**
 * Gets one document of an issuer over HTTPS, or its key set from the file that its settings name.
 *
 * MUST verify TLS, MUST NOT follow a redirect to another host, MUST stop at 1 MiB and at the signal,
 * and MUST ask nobody but the URL's host.
 */
export type DocumentSource = (url: URL, issuer: ConcreteIssuer, signal: AbortSignal) => Promise<Uint8Array>;

const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** Real ones have a hundred or two. A MiB of 110,000 members kept the process from all else for 0.4 s. */
const MAX_VALUES = 10_000;

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
  const isNamedByHttp = issuerUrl.protocol === "http:";
  // Who could change keys on the way from such an issuer's own host could as well change this document.
  const isItsHost = isNamedByHttp && url.hostname === issuerUrl.hostname;
  const mayBeHttp = isItsHost || (isLoopback(url.hostname) && (mayUseLoopbackHttp || isNamedByHttp));
  if (url.protocol !== "https:" && !(url.protocol === "http:" && mayBeHttp)) {
    throw new Malformed("discovery document: jwks_uri is not https");
  }
  if (url.username !== "" || url.password !== "") throw new Malformed("discovery document: jwks_uri has a user");
  if (issuer.settings.isPattern && url.host !== issuerUrl.host) {
    throw new Malformed("discovery document: jwks_uri is on another host than the issuer");
  }
  // An API server names itself by the address that its nodes use, where our token is not shown and nobody is told the
  // keys without one. They are the same at the name that we know it by.
  return isOwnCluster(issuer) && url.pathname === CLUSTER_KEYS ? new URL(CLUSTER_KEYS, issuerUrl) : url;
}

const IN_CLUSTER = new Set(["https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"]);
/** Fixed in Kubernetes' API server. */
const CLUSTER_KEYS = "/openid/v1/jwks";

/** Whether the issuer is the API server of the cluster we run in. */
export function isOwnCluster({ url, settings: { type, isPattern } }: ConcreteIssuer): boolean {
  return type === "kubernetes" && !isPattern && IN_CLUSTER.has(url);
}

/** Where the configuration says the keys are; undefined where discovery must tell. */
export function configuredKeysUrl({ settings: { keys } }: ConcreteIssuer): URL | undefined {
  if (keys?.type === "file") return pathToFileURL(keys.file);
  return keys?.type === "uri" ? new URL(keys.uri) : undefined;
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

function parseObject(bytes: Uint8Array, field: string): JsonObject {
  const value = parseJson(bytes, field, { maxBytes: MAX_DOCUMENT_BYTES, maxValues: MAX_VALUES, roundIntegers: true });
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Malformed(`${field}: no object`);
  return value as JsonObject;
}
