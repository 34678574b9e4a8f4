import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { signerFromKeyObject } from "@chancery/crypto";
import { encodePem } from "@chancery/encoding";
import { createRootAuthority } from "@chancery/x509";
import { answers, freePorts, startUpstream, type UpstreamProcess } from "./upstream-process.ts";

export interface UpstreamFulcio extends UpstreamProcess {
  readonly url: string;
}

export interface UpstreamIssuer {
  readonly url: string;
  readonly type: string;
}

const PASSPHRASE = "bench";

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
  const url = `http://127.0.0.1:${port}`;
  const server = await startUpstream(
    program,
    ["serve", ...listening, ...configured, ...certificate, ...key],
    folder,
    () => answers(`${url}/healthz`),
  );
  return { url, ...server };
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
