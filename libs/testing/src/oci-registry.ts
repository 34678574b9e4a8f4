import { createHash, randomBytes } from "node:crypto";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { freePort } from "./chancery-process.ts";
import { findClient } from "./real-clients.ts";

/** A real docker-registry on loopback with its own folder. */
export interface OciRegistry extends AsyncDisposable {
  /** host:port, as it stands in an image reference. */
  readonly host: string;
  /** Pushes a new one-layer image and answers its reference by digest. */
  pushImage(repository: string): Promise<string>;
}

export async function startOciRegistry(): Promise<OciRegistry> {
  const program = findClient("docker-registry");
  if (program === undefined) throw new Error("there is no docker-registry here");
  const folder = await mkdtemp(join(tmpdir(), "oci-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(folder, "config.yml");
  await writeFile(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${join(folder, "storage")}}}\nhttp: {addr: "${host}"}\n`,
  );
  const child = spawn(program, ["serve", config], { stdio: "ignore" });
  await untilAnswering(`http://${host}/v2/`, child);
  return {
    host,
    pushImage: (repository) => pushImage(host, repository),
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilAnswering(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    const up = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("docker-registry does not answer");
}

async function pushImage(host: string, repository: string): Promise<string> {
  const layer = gzipSync(randomBytes(64));
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const base = `http://${host}/v2/${repository}`;
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: await pushBlob(base, config, "application/vnd.oci.image.config.v1+json"),
    layers: [await pushBlob(base, layer, "application/vnd.oci.image.layer.v1.tar+gzip")],
  });
  const digest = `sha256:${sha256(Buffer.from(manifest))}`;
  await expectOk(
    fetch(`${base}/manifests/${digest}`, {
      method: "PUT",
      body: manifest,
      headers: { "Content-Type": "application/vnd.oci.image.manifest.v1+json" },
    }),
  );
  return `${host}/${repository}@${digest}`;
}

async function pushBlob(base: string, bytes: Buffer, mediaType: string) {
  const digest = `sha256:${sha256(bytes)}`;
  const begun = await expectOk(fetch(`${base}/blobs/uploads/`, { method: "POST" }));
  const place = new URL(begun.headers.get("Location") ?? "", base);
  place.searchParams.set("digest", digest);
  await expectOk(
    fetch(place, {
      method: "PUT",
      body: new Uint8Array(bytes),
      headers: { "Content-Type": "application/octet-stream" },
    }),
  );
  return { mediaType, digest, size: bytes.length };
}

async function expectOk(request: Promise<Response>): Promise<Response> {
  const answer = await request;
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
