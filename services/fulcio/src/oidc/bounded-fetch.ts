import { readFile, stat } from "node:fs/promises";
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import { concatBytes } from "@chancery/encoding";
import { Unavailable } from "@chancery/fault";
import type { DocumentSource } from "../domain/discovery.ts";
import type { ConcreteIssuer } from "../domain/issuer-settings.ts";
import { addressGuard } from "./address-guard.ts";
import { type ClusterFiles, STANDARD_CLUSTER_FILES } from "./cluster-trust.ts";
import { issuerTrust } from "./issuer-trust.ts";
import { trustedAuthorities } from "./trusted-authorities.ts";

const MAX_DOCUMENT_BYTES = 1024 * 1024;
const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Kubernetes' API server answers 406 to whoever takes nothing but application/json for its keys (RFC 7517, Section 8.5). */
const ACCEPT = "application/json, application/jwk-set+json, */*;q=0.1";

/**
 * The only outbound requests of the authority: discovery documents and key sets of configured issuers.
 *
 * Redirects stay on the host that was asked, port included, and never leave TLS (CVE-2026-49478: one that did not gave an
 * attacker the choice of keys, and the cluster's token); the answer is bounded in size and time.
 */
export function issuerDocuments(clusterFiles: ClusterFiles = STANDARD_CLUSTER_FILES): DocumentSource {
  return async (url, issuer, signal) => {
    const { keys } = issuer.settings;
    if (keys?.type === "file") return keySetFile(keys.file);
    const options = await connection(url, issuer, clusterFiles, signal);
    let at = url;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const answer = await ask(at, options);
      if (!REDIRECTS.has(answer.statusCode ?? 0)) return body(answer, at);
      answer.destroy();
      at = redirected(answer.headers.location, at);
    }
    throw new Unavailable(`${url.host} redirects without end`, 10);
  };
}

async function connection(
  url: URL,
  issuer: ConcreteIssuer,
  clusterFiles: ClusterFiles,
  signal: AbortSignal,
): Promise<RequestOptions> {
  const trust = await issuerTrust(url, issuer, clusterFiles);
  return {
    signal,
    // A connection of its own: none is left open to an issuer, and none is shared between two.
    agent: false,
    headers: { Accept: ACCEPT, "User-Agent": "chancery-fulcio", ...trust.headers },
    minVersion: "TLSv1.2",
    // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0, set for something else, does not make anyone an issuer.
    rejectUnauthorized: true,
    ca: trustedAuthorities(trust.authorities),
    cert: trust.certificate,
    key: trust.key,
    lookup: addressGuard(url, issuer),
  };
}

/** A name from discovery never comes here: only the settings name files. */
async function keySetFile(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > MAX_DOCUMENT_BYTES) throw new Unavailable(`${file} is larger than 1 MiB`, 1);
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof Unavailable) throw cause;
    throw new Unavailable(`${file} cannot be read`, 1, { cause });
  }
}

async function ask(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  request(url, options, resolve).on("upgrade", closing(resolve)).on("error", reject).end();
  return promise;
}

/** A 101 that nobody listens for: Node closes the connection and says nothing, not at the signal either. */
export function closing(answered: (answer: IncomingMessage) => void) {
  return (answer: IncomingMessage, socket: Duplex): void => {
    socket.destroy();
    answered(answer);
  };
}

function redirected(location: string | undefined, from: URL): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new Unavailable(`${from.host} redirects to nowhere`, 10);
  }
  const to = new URL(location, from);
  const isSameHost = to.origin === from.origin || (to.host === from.host && to.protocol === "https:");
  if (!isSameHost || to.username !== "" || to.password !== "") {
    throw new Unavailable(`${from.host} redirects to another host`, 10);
  }
  return to;
}

/** The content type is not looked at: key sets are kept on object stores that know none. The parser is strict. */
async function body(answer: IncomingMessage, url: URL): Promise<Uint8Array> {
  const coding = answer.headers["content-encoding"];
  if (answer.statusCode !== 200 || (coding !== undefined && coding !== "identity")) {
    answer.destroy();
    throw new Unavailable(`${url.host} answers with status ${answer.statusCode}`, 10);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    // Leaving the loop destroys the connection: nothing beyond is received.
    if (bytes > MAX_DOCUMENT_BYTES) throw new Unavailable(`${url.host} answers with more than 1 MiB`, 10);
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}
