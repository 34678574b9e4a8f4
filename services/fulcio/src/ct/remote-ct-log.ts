import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps, type RequestOptions } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { concatBytes, encodeBase64, parseJson, utf8 } from "@chancery/encoding";
import { Malformed, Misconfigured, Unavailable } from "@chancery/fault";
import { type SignedCertificateTimestamp, sctFromJson } from "@chancery/x509";
import type { CtLog } from "../domain/ct-log.ts";
import { closing } from "../oidc/bounded-fetch.ts";
import { trustedAuthorities } from "../oidc/trusted-authorities.ts";

export interface RemoteCtLogOptions {
  /** The log's prefix, as upstream's `--ct-log-url`: `/ct/v1/add-pre-chain` is put after it. */
  readonly url: string;
  /** PEM certificates trusted for its TLS, besides the system's. */
  readonly caCertificates?: string | undefined;
  /** The host name to ask it by, where that is not the URL's. */
  readonly origin?: string | undefined;
}

/** Milliseconds; the authority stops waiting soon after. */
const TIMEOUT = 4_000;
const RETRY_AFTER = 250;
/** A connection that the log closed while idle, or a moment of too much work, is over with the next. */
const ATTEMPTS = 3;
/** An SCT is about 250 bytes in JSON. */
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 64;

/**
 * A CT log behind a URL: any that takes `add-pre-chain` (RFC 6962, Section 4.2; static logs take it too).
 *
 * Nothing it answers is believed here: the authority verifies the SCT under the log's key before it embeds it, which
 * is also why a log inside a cluster may be asked in plain HTTP.
 */
export class RemoteCtLog implements CtLog {
  readonly #url: URL;
  readonly #options: RequestOptions;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, caCertificates, origin }: RemoteCtLogOptions) {
    this.#url = addPreChainUrl(url);
    this.#headers = {
      "Content-Type": "application/json",
      Accept: "application/json",
      "User-Agent": "chancery-fulcio",
      ...(origin === undefined ? {} : { Host: origin }),
    };
    const pool = { keepAlive: true, maxSockets: MAX_CONNECTIONS };
    this.#options = {
      method: "POST",
      agent: this.#url.protocol === "https:" ? new HttpsAgent(pool) : new HttpAgent(pool),
      minVersion: "TLSv1.2",
      rejectUnauthorized: true,
      ca: trustedAuthorities(caCertificates === undefined ? [] : [caCertificates]),
    };
  }

  /** Asks again where that may help: the same precertificate gets the same entry, so nothing is logged twice. */
  async addPreChain(chain: readonly Uint8Array[]): Promise<SignedCertificateTimestamp> {
    const body = utf8(JSON.stringify({ chain: chain.map(encodeBase64) }));
    const signal = AbortSignal.timeout(TIMEOUT);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#ask(body, signal);
      } catch (error) {
        if (error instanceof Malformed) throw new Unavailable(error.message, 1, { cause: error });
        if (signal.aborted) throw new Unavailable("the CT log did not answer in time", 1, { cause: error });
        if (error instanceof Unavailable && !(error instanceof Busy)) throw error;
        if (attempt === ATTEMPTS) {
          throw error instanceof Busy ? error : new Unavailable("the CT log cannot be reached", 1, { cause: error });
        }
        await delay(RETRY_AFTER);
      }
    }
  }

  async #ask(body: Uint8Array, signal: AbortSignal): Promise<SignedCertificateTimestamp> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = this.#url.protocol === "https:" ? requestHttps : requestHttp;
    const options = { ...this.#options, headers: { ...this.#headers, "Content-Length": body.length }, signal };
    request(this.#url, options, resolve).on("upgrade", closing(resolve)).on("error", reject).end(body);
    const answer = await promise;
    const { statusCode = 0 } = answer;
    if (statusCode === 200) return sctFromJson(parseJson(await bounded(answer), "CT log's answer"), "CT log's answer");
    answer.destroy();
    if (statusCode === 429 || statusCode === 503) throw new Busy(`the CT log answers with status ${statusCode}`, 1);
    throw new Unavailable(`the CT log answers with status ${statusCode}`, 1);
  }
}

/** Worth asking again. */
class Busy extends Unavailable {}

function addPreChainUrl(text: string): URL {
  const key = "ct-log.url";
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new Misconfigured(key, `${text} is not an absolute http or https URL`);
  }
  if (url.username !== "" || url.password !== "") throw new Misconfigured(key, "must not carry a user or a password");
  if (url.search !== "" || url.hash !== "") throw new Misconfigured(key, `${text} has a query or a fragment`);
  return new URL(`${url.href.replace(/\/$/, "")}/ct/v1/add-pre-chain`);
}

async function bounded(answer: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    // Leaving the loop destroys the connection: nothing beyond is received.
    if (bytes > MAX_ANSWER_BYTES) throw new Unavailable("the CT log answers with more than 64 KiB", 1);
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}
