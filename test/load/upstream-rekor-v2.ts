import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { answers, freePorts, startUpstream } from "./upstream-process.ts";
import type { Programs, UpstreamRekor } from "./upstream-rekor.ts";

/**
 * Upstream's Rekor v2 on a file system (made with rekor-tiles 2.3.0), as fast as it was found to be: a checkpoint every
 * 100 ms, batches of at most 50 ms. A write still takes about a second: it asks once a second whether it is published.
 * Without a witness, and without what would find entries that are there already.
 */
export async function startUpstreamRekorV2(programs: Programs, directory: string): Promise<UpstreamRekor> {
  const folder = await mkdtemp(join(directory, "upstream-v2-"));
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = join(folder, "key.pem");
  await writeFile(key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const tiles = join(folder, "tiles");
  await mkdir(tiles);
  const [port, grpc, metrics] = await freePorts(3);
  const url = `http://127.0.0.1:${port}`;
  const addresses = ["--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--hostname=bench"];
  const ports = [`--http-port=${port}`, `--grpc-port=${grpc}`, `--http-metrics-port=${metrics}`];
  const log = [`--storage-dir=${tiles}`, `--signer-filepath=${key}`];
  const server = await startUpstream(
    programs("posix"),
    ["serve", ...addresses, ...ports, ...log, "--checkpoint-interval=100ms", "--batch-max-age=50ms"],
    folder,
    () => answers(`${url}/healthz`),
  );
  const end = () => server[Symbol.asyncDispose]();
  return { generation: "v2", url, programs: [server], databases: [], [Symbol.asyncDispose]: end };
}
