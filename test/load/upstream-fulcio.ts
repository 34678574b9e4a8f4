import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { signerFromKeyObject } from "@chancery/crypto";
import { encodePem } from "@chancery/encoding";
import { createRootAuthority } from "@chancery/x509";

export interface UpstreamFulcio extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

export interface UpstreamIssuer {
  readonly url: string;
  readonly type: string;
}

const PASSPHRASE = "bench";
const READY_WITHIN_MS = 30_000;

/** Upstream's Fulcio (`program`), with a P-256 file authority and without a CT log, as `fulcio-node.ts` runs ours. */
export async function startUpstreamFulcio(
  program: string,
  issuers: readonly UpstreamIssuer[],
  directory: string,
): Promise<UpstreamFulcio> {
  // Its unix socket lies in the folder it is started in, and one left over would stop the next start.
  const folder = await mkdtemp(join(directory, "upstream-"));
  await writeAuthority(folder);
  const entries = issuers.map(
    ({ url, type }) => `  "${url}":\n    issuer-url: "${url}"\n    client-id: sigstore\n    type: ${type}\n`,
  );
  // Not as JSON, which it would take for its older format.
  await writeFile(join(folder, "config.yaml"), `oidc-issuers:\n${entries.join("")}`);
  const [port, grpc, metrics] = await freePorts(3);
  const listening = ["--host", "127.0.0.1", "--port", port, "--grpc-port", grpc, "--metrics-port", metrics].map(String);
  const configured = ["--config-path", "config.yaml", "--ct-log-url", "", "--log_type", "prod"];
  const certificate = ["--ca", "fileca", "--fileca-cert", "authority.pem", "--fileca-watch=false"];
  const key = ["--fileca-key", "authority-key.pem", "--fileca-key-passwd", PASSPHRASE];
  const child = spawn(program, ["serve", ...listening, ...configured, ...certificate, ...key], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-2_000)));
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    const exit = once(child, "exit");
    if (child.exitCode === null && child.kill("SIGTERM")) await exit;
  };
  const until = performance.now() + READY_WITHIN_MS;
  while (!(await answers(`${url}/healthz`))) {
    if (performance.now() < until && child.exitCode === null) {
      await delay(100);
      continue;
    }
    await stop();
    throw new Error(`${program} does not answer: ${said}`);
  }
  return { url, pid: child.pid ?? Number.NaN, [Symbol.asyncDispose]: stop };
}

async function writeAuthority(folder: string): Promise<void> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const root = await createRootAuthority({
    notBefore: new Date(),
    notAfter: new Date(Date.now() + 86_400_000),
    subject: { organization: "bench", commonName: "bench" },
    signer: signerFromKeyObject(privateKey),
  });
  const lock = { cipher: "aes-256-cbc", passphrase: PASSPHRASE };
  await writeFile(join(folder, "authority.pem"), encodePem("CERTIFICATE", root));
  await writeFile(join(folder, "authority-key.pem"), privateKey.export({ type: "sec1", format: "pem", ...lock }));
}

/** Open all at once, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  return await Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((resolve) => server.close(resolve));
      return typeof address === "object" && address !== null ? address.port : 0;
    }),
  );
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
