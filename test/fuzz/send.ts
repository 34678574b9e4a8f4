import { Agent, request } from "node:http";
import type { FuzzRequest } from "./requests.ts";

/** An HTTP status; or that the server cut the connection, as it does when a body is too large to read. */
export type Outcome = { readonly status: number; readonly text: string } | { readonly cut: string };

/** Longer than any request may take. */
const TIMEOUT = 60_000;

/** One agent of keep-alive connections, as a proxy's. */
export class Sender implements Disposable {
  readonly #agent: Agent;
  readonly #origin: string;

  constructor(origin: string, connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#origin = origin;
  }

  send({ method, path, headers, body }: FuzzRequest): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const length = "Transfer-Encoding" in headers || method === "GET" ? {} : { "Content-Length": body.length };
    const sent = request(
      this.#origin + path,
      { method, agent: this.#agent, headers: { ...headers, ...length }, timeout: TIMEOUT },
      (answer) => {
        let text = "";
        answer.on("data", (chunk: Buffer) => (text = (text + chunk.toString("latin1")).slice(0, 500)));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on("error", ({ message }) => resolve({ cut: message }));
      },
    );
    sent.on("timeout", () => sent.destroy(new Error("no answer in a minute")));
    sent.on("error", ({ message }) => resolve({ cut: message }));
    sent.end(body);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
