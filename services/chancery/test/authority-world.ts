import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { encodePem, parsePem } from "@chancery/encoding";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  parseCertificate,
  parseCertificateRequest,
} from "@chancery/x509";
import { afterEach, beforeEach } from "vitest";
import { openAuthority } from "../src/authority/authority.ts";
import { loadAuthorityFiles } from "../src/authority/own-files.ts";
import { run } from "../src/command-line.ts";
import { alone } from "../src/installation-file.ts";
import { openInstallation } from "../src/installation.ts";
import type { Environment } from "../src/settings.ts";

/** An online machine's data folder and somebody's root, anew for each test. */
export const world = { folder: "", data: "", root: undefined as unknown as Root };

export function beginWithEachTest(): void {
  beforeEach(async () => {
    world.folder = await mkdtemp(join(tmpdir(), "chancery-authority-"));
    world.data = join(world.folder, "data");
    world.root = await makeRoot();
  });
  afterEach(() => rm(world.folder, { recursive: true, force: true }));
}

export interface Root {
  readonly certificate: Certificate;
  readonly signer: Signer;
}

export const DAY = 86_400_000;
export const years = (count: number) => new Date(Math.floor(Date.now() / 1000) * 1000 + count * 365 * DAY);

export async function makeRoot(name = "Offline root"): Promise<Root> {
  const signer = ephemeralSigner("ecdsa-p384");
  const subject = { commonName: name };
  const der = await createRootAuthority({ subject, signer, notBefore: years(-1), notAfter: years(20) });
  return { certificate: parseCertificate(der, "root"), signer };
}

export async function chancery(argv: readonly string[], environment: Environment = {}) {
  let [out, err] = ["", ""];
  const code = await run(argv, environment, { out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}
export const init = (...argv: string[]) => chancery(["init", "--data", world.data, ...argv]);
export const offline = (...argv: string[]) => init("--offline-root", "--url", "https://sigstore.example.com", ...argv);

/** What the root's holder does, by whatever tool. */
export async function sign(
  request: string,
  { by = world.root, ...changes }: { by?: Root; notBefore?: Date; notAfter?: Date; extendedKeyUsage?: string[] } = {},
): Promise<string> {
  const [block] = parsePem(await readFile(join(world.data, "certificates", request), "utf8"), request);
  const { publicKey, subject } = parseCertificateRequest(block!.der, request);
  const intermediate = await createIntermediateAuthority({
    subject,
    issuer: by.certificate,
    issuerSigner: by.signer,
    spki: publicKey.spki,
    notBefore: years(-1),
    notAfter: years(5),
    ...changes,
  });
  return chainFile([intermediate, by.certificate.der]);
}

let count = 0;
export async function chainFile(chain: readonly Uint8Array[], text = ""): Promise<string> {
  const path = join(world.folder, `chain-${(count += 1)}.pem`);
  await writeFile(path, chain.map((der) => text + encodePem("CERTIFICATE", der)).join(""));
  return path;
}

/** As `chancery serve` opens it. */
export async function open(now = new Date(), files?: { key: string; chain: string; passphrase?: string }) {
  const loaded = files && (await loadAuthorityFiles(files, now));
  const plan = { kind: "files" as const };
  const folders = { data: world.data, anchor: join(world.data, "anchor") };
  const installation = await openInstallation(folders, "sigstore.example.com", now, loaded && plan);
  const { created } = installation;
  return alone(world.data, () => openAuthority({ directory: world.data, created, files: loaded, now }));
}

export const windows = async (now?: Date) =>
  (await open(now)).generations.map(({ validFor: { start, end } }) => [start, end] as const);
