import { open, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  createKeyFile,
  type KeyAlgorithm,
  loadKeyFile,
  readPassphraseFile,
  type Signer,
  spkiHash,
} from "@chancery/crypto";
import { encodeHex, encodePem, parsePem } from "@chancery/encoding";
import { Fault, Misconfigured } from "@chancery/fault";
import {
  type Certificate,
  type CertificateRequest,
  createIntermediateAuthority,
  createRootAuthority,
  parseCertificate,
  parseCertificateRequest,
  showDistinguishedName,
} from "@chancery/x509";
import { yearsAfter } from "../authorities.ts";
import { parseFlags } from "../flags.ts";
import { alone } from "../installation-file.ts";
import { makePrivateDirectory } from "../installation.ts";
import type { Environment } from "../settings.ts";
import { exists } from "./authority.ts";
import { readChain, requireIssuing, writeChain } from "./chain-file.ts";

const USAGE = `usage: chancery sign-intermediate --root-folder FOLDER --request FILE --out FILE --key SHA256 [FLAGS]

For the machine that holds the root and is on no network: makes the root on the first run, and signs the request of
\`chancery init --offline-root\`. Writes the intermediate's certificate and the root's, for \`chancery init --certificate\`.

  --root-folder FOLDER    root.key (encrypted) and root.pem; made when they are not there
  --request FILE          the request, as brought from the machine that will issue
  --key SHA256            the fingerprint of its key, as that machine showed it: a request that was swapped is refused
  --out FILE              the chain; never replaced
  --years N               how long the intermediate is good                           5
  --name TEXT             the root's name, when it is made                            Chancery root
  --organization TEXT     the same                                                    none
  --root-algorithm NAME   ecdsa-p256 or ecdsa-p384, when it is made                   ecdsa-p384
  --root-years N          how long the root is good, when it is made                  20
  --passphrase-file FILE  of root.key                                                 CHANCERY_ROOT_PASSPHRASE
  --no-passphrase         for a folder on a medium that is encrypted as a whole
`;

const FLAGS = {
  "root-folder": { type: "string" },
  request: { type: "string" },
  out: { type: "string" },
  key: { type: "string" },
  years: { type: "string" },
  name: { type: "string" },
  organization: { type: "string" },
  "root-algorithm": { type: "string" },
  "root-years": { type: "string" },
  "passphrase-file": { type: "string" },
  "no-passphrase": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

type Flags = ReturnType<typeof parseFlags<typeof FLAGS>>;

const MAX_YEARS = 50;
const ALGORITHMS: readonly KeyAlgorithm[] = ["ecdsa-p256", "ecdsa-p384"];
/** Clocks of machines on no network differ: without it, an intermediate of "now" may not be valid yet elsewhere. */
const CLOCK_SKEW_MS = 60 * 60_000;

interface Root {
  readonly signer: Signer;
  readonly certificate: Certificate;
}

/** `chancery sign-intermediate`: resolves with the exit code. */
export async function signIntermediate(
  argv: readonly string[],
  environment: Environment,
  out: (text: string) => void,
): Promise<number> {
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    out(USAGE);
    return 0;
  }
  const directory = resolve(needed(flags, "root-folder"));
  const target = resolve(needed(flags, "out"));
  const request = await readRequest(needed(flags, "request"), needed(flags, "key"));
  const passphrase = await passphraseOf(flags, environment);
  if (await exists(target)) throw new Misconfigured("--out", `${target} is there already`);
  await makePrivateDirectory(directory);
  const now = new Date(Math.floor(Date.now() / 1000) * 1000);
  const root = await alone(directory, () => openRoot(directory, flags, passphrase, now, out));
  const chain = [await certify(request, root, flags, now), root.certificate];
  requireIssuing(target, chain, request.publicKey.spki, []);
  await writeOnce(target, chain);
  out(
    [
      `${target}: ${showDistinguishedName(request.subject)}`,
      `  its key, SHA-256: ${encodeHex(spkiHash(request.publicKey))}`,
      `  good until ${chain[0]?.notAfter.toISOString() ?? ""}`,
      "Carry it back: chancery init --data FOLDER --certificate FILE",
      "",
    ].join("\n"),
  );
  return 0;
}

async function readRequest(path: string, key: string): Promise<CertificateRequest> {
  let request: CertificateRequest;
  try {
    const labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
    const [block] = parsePem(await readFile(path, "utf8"), path, { labels, max: 1 });
    request = parseCertificateRequest(block?.der ?? new Uint8Array(), path);
  } catch (cause) {
    const why = cause instanceof Fault ? cause.message.replace(`${path}: `, "") : "cannot be read";
    throw new Misconfigured(path, why, { cause });
  }
  const found = encodeHex(spkiHash(request.publicKey));
  if (key.toLowerCase().replaceAll(/[\s:]/g, "") !== found) {
    throw new Misconfigured("--key", `${path} is for the key ${found}, which is not the one you name`);
  }
  return request;
}

/**
 * Key, then certificate: after a crash between the two nobody has seen the root, and the next run makes its
 * certificate. A certificate without its key is a root whose key was lost, and no new one is made in its place.
 */
async function openRoot(
  directory: string,
  flags: Flags,
  passphrase: string | undefined,
  now: Date,
  out: (text: string) => void,
): Promise<Root> {
  const [key, path] = [join(directory, "root.key"), join(directory, "root.pem")];
  const [hasKey, hasCertificate] = [await exists(key), await exists(path)];
  if (hasCertificate && !hasKey) throw new Misconfigured(key, "is not there, and its certificate is");
  const algorithm = algorithmOf(flags["root-algorithm"]);
  const signer = hasKey ? await loadKeyFile(key, { passphrase }) : await createKeyFile(key, algorithm, { passphrase });
  if (!hasCertificate) {
    await writeChain(path, [await makeRoot(signer, flags, now)]);
    out(`${path}: the root is made; its key never leaves this machine\n`);
  }
  const [certificate] = await readChain(path);
  if (certificate === undefined) throw new Misconfigured(path, "holds no certificate");
  requireIssuing(path, [certificate], signer.publicKey.spki, []);
  return { signer, certificate };
}

function makeRoot(signer: Signer, flags: Flags, now: Date): Promise<Uint8Array> {
  const { organization } = flags;
  return createRootAuthority({
    subject: { commonName: flags.name ?? "Chancery root", ...(organization === undefined ? {} : { organization }) },
    signer,
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: yearsAfter(now, yearsOf(flags["root-years"], "--root-years", 20)),
  });
}

/** What is certified is decided here, not by what the request asks for beyond its name and its key. */
async function certify(request: CertificateRequest, root: Root, flags: Flags, now: Date): Promise<Certificate> {
  const [begin, end] = [root.certificate.notBefore, root.certificate.notAfter];
  if (now > end) throw new Misconfigured("--root-folder", `the root ended on ${end.toISOString()}`);
  const wanted = yearsAfter(now, yearsOf(flags.years, "--years", 5));
  const early = new Date(now.getTime() - CLOCK_SKEW_MS);
  const bytes = await createIntermediateAuthority({
    subject: request.subject,
    issuer: root.certificate,
    issuerSigner: root.signer,
    spki: request.publicKey.spki,
    notBefore: early < begin ? begin : early,
    notAfter: wanted > end ? end : wanted,
  });
  return parseCertificate(bytes, "intermediate");
}

async function passphraseOf(flags: Flags, environment: Environment): Promise<string | undefined> {
  const file = flags["passphrase-file"];
  const direct = environment["CHANCERY_ROOT_PASSPHRASE"] ?? "";
  if (flags["no-passphrase"] === true) {
    if (file !== undefined || direct !== "") throw new Misconfigured("--no-passphrase", "a passphrase was given too");
    return undefined;
  }
  if (file !== undefined) return readPassphraseFile(file);
  if (direct !== "") return direct;
  throw new Misconfigured("--passphrase-file", "must be given, or CHANCERY_ROOT_PASSPHRASE, or --no-passphrase");
}

async function writeOnce(path: string, chain: readonly Certificate[]): Promise<void> {
  try {
    await using file = await open(path, "wx", 0o644);
    await file.writeFile(chain.map(({ der }) => encodePem("CERTIFICATE", der)).join(""));
    await file.sync();
  } catch (cause) {
    throw new Misconfigured("--out", `${path} cannot be written`, { cause });
  }
}

function needed(flags: Flags, name: "root-folder" | "request" | "out" | "key"): string {
  const value = flags[name];
  if (value === undefined || value === "") throw new Misconfigured(`--${name}`, "must be given; see --help");
  return value;
}

function yearsOf(text: string | undefined, flag: string, usual: number): number {
  if (text === undefined) return usual;
  const years = Number(text);
  if (!/^\d{1,2}$/.test(text) || years < 1 || years > MAX_YEARS) {
    throw new Misconfigured(flag, `${text} is not a number of years from 1 to ${MAX_YEARS}`);
  }
  return years;
}

function algorithmOf(name = "ecdsa-p384"): KeyAlgorithm {
  const found = ALGORITHMS.find((algorithm) => algorithm === name);
  if (found === undefined)
    throw new Misconfigured("--root-algorithm", `${name} is neither ${ALGORITHMS.join(" nor ")}`);
  return found;
}
