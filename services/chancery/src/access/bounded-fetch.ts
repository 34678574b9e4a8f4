import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { rootCertificates } from "node:tls";
import { Unavailable } from "@chancery/fault";

const MAX_BYTES = 1024 * 1024;
/** Milliseconds. */
const TIMEOUT = 10_000;

export interface Outgoing {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: URLSearchParams | undefined;
}

/** As much of `fetch` as a client of OAuth needs: no redirect is followed, ten seconds, one MiB, `ca` trusted besides the usual. */
export function boundedFetch(ca: string | undefined): (url: string, options: Outgoing) => Promise<Response> {
  return async (url, options) => {
    try {
      const answer = await ask(new URL(url), options, ca);
      const bytes = await body(answer);
      const headers = new Headers();
      for (const [name, value] of Object.entries(answer.headers)) headers.set(name, String(value));
      return new Response(new Uint8Array(bytes), { status: answer.statusCode ?? 502, headers });
    } catch (cause) {
      if (cause instanceof Unavailable) throw cause;
      throw new Unavailable(`${new URL(url).host} cannot be asked`, 10, { cause });
    }
  };
}

async function ask(url: URL, { method, headers, body: sent }: Outgoing, ca: string | undefined) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  const text = sent?.toString() ?? "";
  request(
    url,
    {
      method,
      headers: { ...headers, "Content-Length": Buffer.byteLength(text) },
      signal: AbortSignal.timeout(TIMEOUT),
      agent: false,
      minVersion: "TLSv1.2",
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
    },
    resolve,
  )
    .on("upgrade", (_answer, socket) => {
      // A 101 that nobody listens for: Node closes the connection and says nothing, not at the signal either.
      socket.destroy();
      reject(new Unavailable("the identity provider answers with status 101", 10));
    })
    .on("error", reject)
    .end(text);
  return promise;
}

async function body(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Unavailable("the identity provider answers with more than 1 MiB", 10);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
