import { type KeyAlgorithm, loadKeyFile, type PublicKey, spkiHash } from "@chancery/crypto";
import { encodeHex, equalBytes } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { type Certificate, endOfChain, reviewValidity } from "@chancery/x509";
import { parseFlags } from "../flags.ts";
import { alone } from "../installation-file.ts";
import {
  type AuthorityPlan,
  type Installation,
  installedHostname,
  openInstallation,
  OWN_AUTHORITY,
} from "../installation.ts";
import { type Environment, type InstallationSettings, resolveInstallationSettings } from "../settings.ts";
import { adoptFiles, currentGenerations, exists, follow, keyPath, requestPath } from "./authority.ts";
import { readChain, requireIssuing } from "./chain-file.ts";
import { type Generations, issuing } from "./generations.ts";
import { loadAuthorityFiles, type LoadedAuthority } from "./own-files.ts";
import { requestCertificate } from "./request.ts";

const USAGE = `usage: chancery init [FLAGS]

Makes the data folder without serving it, and decides what its CA is. What is there already is never replaced;
the same command again says the same. \`chancery serve\` alone makes a CA of its own.

  --url URL             whose host name the logs sign as, for ever     CHANCERY_URL
  --data FOLDER         keys and certificates                          CHANCERY_DATA, or ./.chancery
  --anchor FOLDER       where its logs will have their anchors         CHANCERY_ANCHOR, or DATA/anchor
  --ca-algorithm NAME   ecdsa-p256 or ecdsa-p384                       ecdsa-p256

A root that is kept offline (docs/offline-root.md):
  --offline-root        makes the intermediate's key and a request for the root to sign
  --certificate FILE    takes what came back: intermediate, root, in PEM
  --renew               with --offline-root, where a certificate is there: the next key and request

A CA in files of your own, here or with \`serve\`:
  --ca-key FILE  --ca-chain FILE  --ca-passphrase-file FILE            CHANCERY_CA_KEY, _CHAIN, _PASSPHRASE_FILE

A new chain issues from the next start of \`serve\` on. What was signed under the old one goes on verifying.
  --announce            with --certificate or --ca-key: the next start only publishes it, and the old one goes on issuing;
                        once clients know it (cosign 2 within seven days), the same command without --announce, and a start
  --new-root            the chain may end in another root than before: clients must be told of it first
`;

const FLAGS = {
  url: { type: "string" },
  data: { type: "string" },
  anchor: { type: "string" },
  config: { type: "string" },
  "ca-algorithm": { type: "string" },
  "ca-key": { type: "string" },
  "ca-chain": { type: "string" },
  "ca-passphrase-file": { type: "string" },
  "offline-root": { type: "boolean" },
  certificate: { type: "string" },
  renew: { type: "boolean" },
  "new-root": { type: "boolean" },
  announce: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const ALGORITHMS: readonly KeyAlgorithm[] = ["ecdsa-p256", "ecdsa-p384"];

type Flags = ReturnType<typeof parseFlags<typeof FLAGS>>;

/** `chancery init`: resolves with the exit code. */
export async function init(
  argv: readonly string[],
  environment: Environment,
  out: (text: string) => void,
): Promise<number> {
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    out(USAGE);
    return 0;
  }
  const settings = await resolveInstallationSettings(flags, environment);
  const algorithm = algorithmOf(flags["ca-algorithm"]);
  refuseContradictions(flags, settings);
  const now = new Date();
  const known = await installedHostname(settings.data);
  if (known === undefined && flags.certificate !== undefined) {
    throw new Misconfigured(
      "--data",
      `${settings.data} holds no installation; begin with chancery init --offline-root`,
    );
  }
  const files = settings.authorityFiles && (await loadAuthorityFiles(settings.authorityFiles, now));
  const plan = planOf(flags, files, algorithm ?? "ecdsa-p256");
  const hostname = settings.hostname ?? known ?? guessed(plan);
  const installation = await openInstallation(settings, hostname, now, plan, settings.rekorV2Key);
  out(`${settings.data}: ${known === undefined ? "made" : "an installation"}, signing as ${installation.hostname}\n`);
  const folder: Folder = {
    directory: settings.data,
    installation,
    now,
    mayChangeRoot: flags["new-root"] === true,
    waits: flags.announce === true,
  };
  await alone(settings.data, async () => {
    if (files !== undefined) await adopt(folder, files, out);
    else if (flags.certificate !== undefined) await accept(folder, flags.certificate, out);
    else if (flags["offline-root"] === true) await request(folder, flags, algorithm, out);
    else await describe(folder, out);
  });
  return 0;
}

interface Folder {
  readonly directory: string;
  readonly installation: Installation;
  readonly now: Date;
  readonly mayChangeRoot: boolean;
  readonly waits: boolean;
}

type Out = (text: string) => void;

async function adopt(folder: Folder, files: LoadedAuthority, out: Out) {
  const { directory, installation } = folder;
  const isNew = await adoptFiles(directory, installation.created, files, folder);
  out(isNew ? accepted(files.chain, folder) : "The CA's chain is in place already.\n");
}

async function request(
  { directory, installation }: Folder,
  flags: Flags,
  algorithm: KeyAlgorithm | undefined,
  out: Out,
) {
  const state = await currentGenerations(directory, installation.created);
  if (state.pending === undefined && state.generations.length > 0 && flags.renew !== true) {
    out("The CA has its certificate. For the next key and request: chancery init --offline-root --renew\n");
    return;
  }
  const pending =
    state.pending ??
    (await requestCertificate(
      directory,
      installation.hostname,
      state,
      algorithm ?? (await sameAlgorithm(directory, state)),
    ));
  const signer = await loadKeyFile(keyPath(directory, pending.key));
  if (algorithm !== undefined && signer.publicKey.algorithm !== algorithm) {
    throw new Misconfigured("--ca-algorithm", `the request that is out is for a key of ${signer.publicKey.algorithm}`);
  }
  out(
    [
      "",
      "Have this request signed by your root:",
      `  ${requestPath(directory, pending.name)}`,
      `  its key, SHA-256: ${fingerprint(signer.publicKey)}`,
      "then bring back the intermediate's certificate and the root's, in this order in one file:",
      `  chancery init --data ${directory} --certificate FILE`,
      `The private key stays here: ${keyPath(directory, pending.key)}`,
      "Step by step, with Chancery, openssl or another CA: docs/offline-root.md",
      "",
    ].join("\n"),
  );
}

/** The one in use, if it is there and made here; else the usual one. */
async function sameAlgorithm(directory: string, { generations }: Generations): Promise<KeyAlgorithm> {
  const key = generations.at(-1)?.key;
  if (key === undefined || key === null || !(await exists(keyPath(directory, key)))) return "ecdsa-p256";
  return (await loadKeyFile(keyPath(directory, key))).publicKey.algorithm;
}

async function accept(folder: Folder, path: string, out: Out): Promise<void> {
  const { directory, now, mayChangeRoot, waits } = folder;
  const { created } = folder.installation;
  const chain = await readChain(path);
  const state = await currentGenerations(directory, created);
  const { key, publicKey } = await keyOf(directory, path, chain, state);
  requireIssuing(path, chain, publicKey.spki, reviewValidity(chain, now));
  const isNew = await follow({ directory, created, path, chain, key, mayChangeRoot, waits });
  if (!isNew) {
    out("The certificate is in place already.\n");
    return;
  }
  out(accepted(chain, folder));
  const idle = state.generations.findLast((one) => one.key !== null && one.key !== key)?.key;
  if (!waits && idle !== undefined && idle !== null) {
    out(`Once \`serve\` runs with it, ${keyPath(directory, idle)} signs nothing any more: delete it.\n`);
  }
  if (state.pending !== undefined && state.pending.key !== key) {
    out(`The request ${requestPath(directory, state.pending.name)} is still out.\n`);
  }
}

/** The key made for the request first; that of an earlier certificate may be certified anew. */
async function keyOf(
  directory: string,
  path: string,
  chain: readonly Certificate[],
  { pending, generations }: Generations,
): Promise<{ readonly key: string; readonly publicKey: PublicKey }> {
  const names = [pending?.key, ...generations.map(({ key }) => key).toReversed()].filter(
    (name) => typeof name === "string",
  );
  let wanted: PublicKey | undefined;
  for (const key of new Set(names)) {
    if (!(await exists(keyPath(directory, key)))) continue;
    const { publicKey } = await loadKeyFile(keyPath(directory, key));
    wanted ??= publicKey;
    if (chain[0] !== undefined && equalBytes(chain[0].spki, publicKey.spki)) return { key, publicKey };
  }
  if (wanted === undefined) throw new Misconfigured(path, "there is no request here that it could answer");
  // Everything else that is wrong with it is said along with this.
  requireIssuing(path, chain, wanted.spki, [`the key that was to be certified has SHA-256 ${fingerprint(wanted)}`]);
  throw new TypeError("a chain of another key was found to be of this one");
}

async function describe({ directory, installation }: Folder, out: Out): Promise<void> {
  const state: Generations = await currentGenerations(directory, installation.created);
  const current = issuing(state);
  const waiting = state.generations.find(({ waits }) => waits);
  if (current === undefined) out("Its CA has no certificate yet: chancery init --offline-root shows the request.\n");
  else out(`Its CA issues under ${current.name}.pem; serve it with chancery serve.\n`);
  if (waiting !== undefined)
    out(`${waiting.name}.pem is published and waits: the command that gave it, without --announce.\n`);
  if (current !== undefined && state.pending !== undefined) {
    out(`A request is out: ${requestPath(directory, state.pending.name)}\n`);
  }
}

function accepted(chain: readonly Certificate[], { waits }: Folder): string {
  const end = endOfChain(chain).toISOString();
  if (!waits) return `The chain is good until ${end}; it issues from the next start of \`chancery serve\` on.\n`;
  return [
    `The chain is good until ${end}; the next start of \`chancery serve\` publishes it, and the one before goes on issuing.`,
    "When clients know it (cosign 2 within seven days), give the same command without --announce, and start again.\n",
  ].join("\n");
}

function fingerprint(key: PublicKey): string {
  return encodeHex(spkiHash(key));
}

function planOf(flags: Flags, files: LoadedAuthority | undefined, algorithm: KeyAlgorithm): AuthorityPlan {
  if (files !== undefined) return { kind: "files" };
  return { ...OWN_AUTHORITY, kind: flags["offline-root"] === true ? "offline-root" : "own", algorithm };
}

/** For a folder that is made now. Whoever keeps a root offline means to keep the logs for years. */
function guessed(plan: AuthorityPlan): string {
  if (plan.kind === "own") return "localhost";
  throw new Misconfigured("CHANCERY_URL", "must be said: its host name stands in every checkpoint, for ever");
}

function algorithmOf(name: string | undefined): KeyAlgorithm | undefined {
  const found = ALGORITHMS.find((algorithm) => algorithm === name);
  if (name !== undefined && found === undefined) {
    throw new Misconfigured("--ca-algorithm", `${name} is neither ${ALGORITHMS.join(" nor ")}`);
  }
  return found;
}

function refuseContradictions(flags: Flags, { authorityFiles }: InstallationSettings): void {
  const ways = [
    authorityFiles === undefined ? undefined : "--ca-key",
    flags["offline-root"] === true ? "--offline-root" : undefined,
    flags.certificate === undefined ? undefined : "--certificate",
  ].filter((way) => way !== undefined);
  if (ways[1] !== undefined) throw new Misconfigured(ways[1], `not together with ${ways[0] ?? ""}`);
  if (flags.announce === true && flags.certificate === undefined && authorityFiles === undefined) {
    throw new Misconfigured("--announce", "goes with --certificate or --ca-key");
  }
  if (flags.renew === true && flags["offline-root"] !== true)
    throw new Misconfigured("--renew", "goes with --offline-root");
}
