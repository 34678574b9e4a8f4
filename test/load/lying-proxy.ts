import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Undefined: there is no such thing. */
export type Lie = (truth: Buffer) => Uint8Array | string | undefined;

/**
 * Another way to an installation, below any number of folders (`/1/…`, `/2/…`), on which a path answers what its lie makes
 * of the truth.
 */
export class LyingProxy implements AsyncDisposable {
  readonly url: string;
  readonly lies = new Map<string, Lie>();
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async start(target: string): Promise<LyingProxy> {
    const server = createServer((request, response) => {
      void proxy.#answer(target, request.url ?? "").then(
        ({ status, bytes }) => response.writeHead(status).end(bytes),
        () => response.writeHead(502).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const close = async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    const proxy = new LyingProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, close);
    return proxy;
  }

  async #answer(target: string, path: string) {
    const answer = await fetch(target + path.replace(/^\/\d+(?=\/)/, ""));
    const truth = Buffer.from(await answer.arrayBuffer());
    const lie = this.lies.get(path);
    if (lie === undefined) return { status: answer.status, bytes: truth };
    const bytes = lie(truth);
    return { status: bytes === undefined ? 404 : 200, bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
