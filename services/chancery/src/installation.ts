import { randomBytes } from "node:crypto";
import { access, constants, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createKeyFile, type KeyAlgorithm, loadKeyFile, type Signer, spkiHash } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import type { Certificate } from "@chancery/x509";
import { issueFulcioChain, issueTimestampChain, loadTimestampChain } from "./authorities.ts";
import { keyPath } from "./authority/authority.ts";
import { writeGenerations } from "./authority/generations.ts";
import { requestCertificate } from "./authority/request.ts";
import { writeDurably } from "./durable-file.ts";
import { alone } from "./installation-file.ts";
import {
  awaitedLogs,
  awaitFirstLogs,
  awaitLog,
  INSTALLATION_FILE,
  type InstallationFile,
  readInstallationFile,
  writeInstallationFile,
} from "./installation-state.ts";
import { isLogName, isRekorShard, LOG_NAMES, type LogName } from "./log-names.ts";
import { loadRekorShards, type RekorShard } from "./rekor-shards.ts";
import { ANCHOR, type Folders } from "./settings-sources.ts";

/** The private keys that sign while it serves, but for the CA's. Each has its own file, `keys/<name>.pem`. */
export const KEY_NAMES = ["rekor", "rekor-v2", "ctlog", "tsa", "tuf-root", "tuf-online"] as const;
export type KeyName = (typeof KEY_NAMES)[number];
export type Keys = Readonly<Record<KeyName, Signer>>;

export { confirmLogs } from "./installation-state.ts";
export { LOG_NAMES, type LogName, requireLogName } from "./log-names.ts";

/** What the v2 log's key may be: P-256 unless said, which is what the other logs have. */
export const REKOR_V2_KEYS = ["ecdsa-p256", "ed25519"] as const satisfies readonly KeyAlgorithm[];
export type RekorV2Key = (typeof REKOR_V2_KEYS)[number];

/** Those of roots: they sign once, when their chain is made, and are never opened again. */
const ROOT_KEY_NAMES = ["fulcio-root", "tsa-root"] as const;

/** What is made once and must never change, for clients have been told to trust it. */
export interface Installation {
  /** Stands in the origin of every checkpoint. */
  readonly hostname: string;
  /** Of the first shard of the Rekor log; upstream's entry IDs begin with it. */
  readonly treeId: bigint;
  /** Oldest first, one at least: the first has the key `rekor`. */
  readonly rekorShards: readonly RekorShard[];
  /** The CT log's name below /ctlog/. */
  readonly shard: string;
  readonly created: Date;
  readonly keys: Keys;
  /** The signing certificate first, its root last. */
  readonly tsaChain: readonly Certificate[];
  /** Logs that may still have to be created. Once they were, one that is missing was lost. */
  readonly awaitsLogs: readonly LogName[];
}

/** What the CA of a new installation is: root and intermediate of its own; an intermediate below a root elsewhere; files of the operator's. */
export type AuthorityPlan =
  | { readonly kind: "own" | "offline-root"; readonly algorithm: KeyAlgorithm }
  | { readonly kind: "files" };

export const OWN_AUTHORITY: AuthorityPlan = { kind: "own", algorithm: "ecdsa-p256" };

const UNFINISHED = "installation.unfinished";
/** What a first run makes before anything is published. */
const MADE = ["keys", "certificates", "authority.json"];
/** What only a finished installation makes. */
const PUBLISHED = ["tuf", ANCHOR, "postgres"];

/** What an installation is made with. */
interface Wanted {
  /** Where its logs' anchors lie. */
  readonly anchor: string;
  readonly hostname: string;
  readonly now: Date;
  readonly plan: AuthorityPlan;
  /** Undefined: P-256, or whichever there is. */
  readonly rekorV2Key: RekorV2Key | undefined;
}

/**
 * Finds the installation under `data`, or makes it on the first run.
 *
 * Order that never changes: mark → keys → certificates → `installation.json` → unmark, and nothing is
 * published before `installation.json` is on disk. So a crash at any step leaves either a marked folder,
 * whose keys nobody has seen and which the next start makes anew, or a finished one.
 *
 * A `rekorV2Key` that is said is the v2 log's when it is made, and MUST be what it was made with.
 */
export async function openInstallation(
  { data: directory, anchor }: Folders,
  hostname: string,
  now: Date,
  plan: AuthorityPlan = OWN_AUTHORITY,
  rekorV2Key?: RekorV2Key,
): Promise<Installation> {
  await makePrivateDirectory(directory);
  await requireAccess(directory);
  const installation = await alone(directory, () => openAlone(directory, { anchor, hostname, now, plan, rekorV2Key }));
  refuseOtherKey(installation.keys["rekor-v2"], rekorV2Key);
  return installation;
}

/** The host name an installation signs as; undefined where there is none yet. */
export async function installedHostname(directory: string): Promise<string | undefined> {
  try {
    return (await readInstallationFile(directory)).hostname;
  } catch (error) {
    if (error instanceof Misconfigured) throw error;
    return undefined;
  }
}

async function openAlone(directory: string, wanted: Wanted): Promise<Installation> {
  const names = await readdir(directory);
  if (names.includes(INSTALLATION_FILE)) {
    const found = await find(directory, wanted);
    await rm(join(directory, UNFINISHED), { force: true });
    return { ...found, awaitsLogs: await awaitedLogs(directory, logsOf(found)) };
  }
  // A mark that came back, out of an old backup, must not make a first run of what has published.
  refuseForeign(directory, names, names.includes(UNFINISHED) ? PUBLISHED : [...MADE, ...PUBLISHED]);
  await refuseOthersAnchors(directory, wanted.anchor);
  return make(directory, wanted);
}

async function make(directory: string, { hostname, now, plan, rekorV2Key }: Wanted): Promise<Installation> {
  await writeDurably(join(directory, UNFINISHED), "");
  for (const name of MADE) await rm(join(directory, name), { recursive: true, force: true });
  for (const name of ["keys", "certificates"]) await makePrivateDirectory(join(directory, name));
  const certificates = join(directory, "certificates");
  const created = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const makeKey = (name: string, algorithm: KeyAlgorithm = "ecdsa-p256") =>
    createKeyFile(keyPath(directory, name), algorithm);
  const keys = await eachKey((name) => makeKey(name, name === "rekor-v2" ? rekorV2Key : undefined));
  const tsaRoot = await makeKey("tsa-root");
  await issueTimestampChain(certificates, hostname, created, { tsa: keys.tsa, "tsa-root": tsaRoot });
  const fulcio = await makeAuthority(directory, hostname, created, plan);
  const file: InstallationFile = {
    version: 1,
    hostname,
    treeId: newTreeId().toString(),
    shard: String(created.getUTCFullYear()),
    created: created.toISOString(),
    keys: { ...fingerprints(keys), "tsa-root": fingerprintOf(tsaRoot), ...fulcio },
  };
  await awaitFirstLogs(directory);
  await writeInstallationFile(directory, file);
  // Crash here: the next start finds the file, and the mark means nothing any more.
  await rm(join(directory, UNFINISHED), { force: true });
  const tsaChain = await loadTimestampChain(certificates, keys.tsa);
  const rekorShards = await loadRekorShards(directory, file, keys.rekor);
  return { ...describe(file), keys, rekorShards, tsaChain, awaitsLogs: LOG_NAMES };
}

/** Answers the fingerprints of what it made, if that is whole. */
async function makeAuthority(directory: string, hostname: string, created: Date, plan: AuthorityPlan) {
  if (plan.kind === "files") {
    await writeGenerations(directory, { generations: [] });
    return {};
  }
  if (plan.kind === "offline-root") {
    await requestCertificate(directory, hostname, { generations: [] }, plan.algorithm);
    return {};
  }
  const makeKey = (name: string) => createKeyFile(keyPath(directory, name), plan.algorithm);
  const [root, intermediate] = [await makeKey("fulcio-root"), await makeKey("fulcio-intermediate")];
  const keys = { "fulcio-root": root, "fulcio-intermediate": intermediate };
  await issueFulcioChain(join(directory, "certificates"), hostname, created, keys);
  return { "fulcio-root": fingerprintOf(root), "fulcio-intermediate": fingerprintOf(intermediate) };
}

async function find(
  directory: string,
  { anchor, hostname, rekorV2Key }: Wanted,
): Promise<Omit<Installation, "awaitsLogs">> {
  const file = await withRekorV2({ data: directory, anchor }, await readInstallationFile(directory), rekorV2Key);
  if (file.hostname !== hostname) {
    throw new Misconfigured(
      "CHANCERY_URL",
      `this installation signs as ${file.hostname}: the name stands in every checkpoint its logs ever signed, and ${hostname} would be other logs; keep the name, or begin a new installation with an empty CHANCERY_DATA`,
    );
  }
  const keys = await eachKey((name) => loadKeyFile(keyPath(directory, name)));
  const found = fingerprints(keys);
  const swapped = KEY_NAMES.find((name) => found[name] !== file.keys[name]);
  if (swapped !== undefined) {
    throw new Misconfigured(keyPath(directory, swapped), "is not the key that this installation was made with");
  }
  for (const name of ROOT_KEY_NAMES) await refuseOpenFile(keyPath(directory, name));
  const rekorShards = await loadRekorShards(directory, file, keys.rekor);
  await refuseOlderFile(directory, anchor, rekorShards);
  const tsaChain = await loadTimestampChain(join(directory, "certificates"), keys.tsa);
  return { ...describe(file), keys, rekorShards, tsaChain };
}

/**
 * Gives an installation from before the v2 API its log of that API. Key → mark → `installation.json`: until that names
 * the key nobody has seen it, and the next start makes it anew.
 */
async function withRekorV2(
  { data: directory, anchor }: Folders,
  file: InstallationFile,
  algorithm: RekorV2Key = "ecdsa-p256",
): Promise<InstallationFile> {
  if (file.keys["rekor-v2"] !== undefined) return file;
  const path = keyPath(directory, "rekor-v2");
  if ((await anchoredIn(anchor)).includes("rekor-v2")) {
    throw new Misconfigured(
      join(directory, INSTALLATION_FILE),
      "is older than its v2 log; put the newer one back from a backup",
    );
  }
  await rm(path, { force: true });
  const key = await createKeyFile(path, algorithm);
  await awaitLog(directory, "rekor-v2");
  const whole = { ...file, keys: { ...file.keys, "rekor-v2": fingerprintOf(key) } };
  await writeInstallationFile(directory, whole);
  return whole;
}

/** A shard that has signed and is not known here: another one of its name would have another key. */
async function refuseOlderFile(directory: string, anchor: string, shards: readonly RekorShard[]): Promise<void> {
  for (const log of await anchoredIn(anchor)) {
    if (!isRekorShard(log) || shards.some(({ name }) => name === log)) continue;
    // A mistaken command may have left an empty folder. Of one that cannot be looked into that is not known.
    const files = await readdir(join(anchor, log)).catch(() => [log]);
    if (files.length === 0) continue;
    throw new Misconfigured(
      join(directory, INSTALLATION_FILE),
      `is older than its log ${log}, whose anchor is in ${anchor}; put the newer one back from a backup`,
    );
  }
}

function refuseOtherKey({ publicKey }: Signer, said: RekorV2Key | undefined): void {
  if (said === undefined || said === publicKey.algorithm) return;
  throw new Misconfigured(
    "chancery.rekor.v2-log-key",
    `the v2 log of this installation signs with ${publicKey.algorithm}, and with ${said} it would be another log; take the line out, or begin a new installation with an empty CHANCERY_DATA`,
  );
}

/** A root's key is not opened, and may have been taken away, as it should be; but none may lie open here. */
async function refuseOpenFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && (found.mode & 0o077) !== 0 && process.platform !== "win32") {
    throw new Misconfigured(path, "the file is open to other users; chmod 600 it");
  }
}

/** All of an installation's logs. */
export function logsOf({ rekorShards }: Pick<Installation, "rekorShards">): LogName[] {
  return [...rekorShards.map(({ name }) => name), "rekor-v2", "ctlog"];
}

function describe(file: InstallationFile) {
  const { hostname, shard } = file;
  return { hostname, shard, treeId: BigInt(file.treeId), created: new Date(file.created) };
}

/**
 * Keys or logs without the file that says what they are: it was lost, or this is another program's
 * folder. New keys beside old logs would be the half-trusted mix that nobody can repair.
 */
function refuseForeign(directory: string, names: readonly string[], traces: readonly string[]): void {
  const left = traces.find((name) => names.includes(name));
  if (left === undefined) return;
  throw new Misconfigured(
    "CHANCERY_DATA",
    `${directory} holds ${left} and no ${INSTALLATION_FILE}; put the file back from a backup of the keys, or choose an empty folder`,
  );
}

/** They lie elsewhere, and are of logs whose keys are not here. */
async function refuseOthersAnchors(directory: string, anchor: string): Promise<void> {
  const [log] = await anchoredIn(anchor);
  if (log === undefined) return;
  throw new Misconfigured(
    "CHANCERY_ANCHOR",
    `${anchor} holds the anchor of ${log}, and ${directory} no ${INSTALLATION_FILE}; put the file back from a backup of the keys, or choose an empty folder`,
  );
}

/** The logs that have an anchor there. */
async function anchoredIn(anchor: string): Promise<LogName[]> {
  const names: readonly string[] = await readdir(anchor).catch(() => []);
  return names.filter(isLogName);
}

export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new Misconfigured("CHANCERY_DATA", `${path} cannot be made (${code})`, { cause });
  }
}

/** Said at once and by name, before the lock's file or anything else in the folder is tried. */
async function requireAccess(directory: string): Promise<void> {
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Misconfigured("CHANCERY_DATA", `${directory} may not be read and written by this user`, { cause });
  }
}

async function eachKey(signer: (name: KeyName) => Promise<Signer>): Promise<Keys> {
  const pairs = await Promise.all(KEY_NAMES.map(async (name) => [name, await signer(name)] as const));
  return Object.fromEntries(pairs) as Record<KeyName, Signer>;
}

function fingerprints(keys: Keys): Record<KeyName, string> {
  const pairs = KEY_NAMES.map((name) => [name, fingerprintOf(keys[name])] as const);
  return Object.fromEntries(pairs) as Record<KeyName, string>;
}

function fingerprintOf(signer: Signer): string {
  return encodeHex(spkiHash(signer.publicKey));
}

/** Positive, 63 bits, and with all 16 hexadecimal digits, as upstream's tree IDs are written. */
export function newTreeId(): bigint {
  return (randomBytes(8).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn) | 0x1000_0000_0000_0000n;
}
