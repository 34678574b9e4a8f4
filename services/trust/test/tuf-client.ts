import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Updater } from "tuf-js";
import type { TufRepository } from "../src/index.ts";

/** Serves whatever the function answers, and nothing else. */
export async function serveFiles(read: (name: string) => Uint8Array | undefined) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    requests.push(name);
    const bytes = read(name);
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const serveRepository = (repository: TufRepository) => serveFiles((name) => repository.file(name)?.bytes);

/** A tuf-js client that trusts one root.json and keeps what it has seen between updates. */
export class TufClient implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async trusting(root: Uint8Array): Promise<TufClient> {
    const folder = await mkdtemp(join(tmpdir(), "tuf-client-"));
    await writeFile(join(folder, "root.json"), root);
    return new TufClient(folder);
  }

  /** Updates from a mirror and answers a target's bytes. */
  async fetch(mirror: string, target: string): Promise<Uint8Array> {
    const updater = new Updater({
      metadataDir: this.#folder,
      metadataBaseUrl: mirror,
      targetDir: this.#folder,
      targetBaseUrl: `${mirror}/targets`,
      config: { fetchRetry: 0 },
    });
    const found = await updater.getTargetInfo(target);
    if (found === undefined) throw new Error(`no target ${target}`);
    return new Uint8Array(await readFile(await updater.downloadTarget(found)));
  }

  /** The version of a role that it now trusts. */
  async version(role: string): Promise<number> {
    const text = await readFile(join(this.#folder, `${role}.json`), "utf8");
    return (JSON.parse(text) as { signed: { version: number } }).signed.version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
