import { randomBytes } from "node:crypto";
import { access, constants, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createKeyFile, loadKeyFile, type Signer, spkiHash } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { parseYaml } from "@chancery/service";
import { z } from "zod";
import { type Authorities, issueAuthorities, loadAuthorities } from "./authorities.ts";
import { removeDurably, withLock, writeDurably } from "./durable-file.ts";

/** Every private key of an installation. Each has its own file, `keys/<name>.pem`. */
export const KEY_NAMES = [
  "fulcio-root",
  "fulcio-intermediate",
  "rekor",
  "ctlog",
  "tsa-root",
  "tsa",
  "tuf-root",
  "tuf-online",
] as const;
export type KeyName = (typeof KEY_NAMES)[number];
export type Keys = Readonly<Record<KeyName, Signer>>;

/** What is made once and must never change, for clients have been told to trust it. */
export interface Installation extends Authorities {
  /** Stands in the origin of every checkpoint. */
  readonly hostname: string;
  /** Of the Rekor log; upstream's entry IDs begin with it. */
  readonly treeId: bigint;
  /** The CT log's name below /ctlog/. */
  readonly shard: string;
  readonly created: Date;
  readonly keys: Keys;
  /** Whether its logs may still have to be created. Once they were, one that is missing was lost. */
  readonly awaitsLogs: boolean;
}

const FILE = "installation.json";
const UNFINISHED = "installation.unfinished";
/** From before `installation.json` until both logs are in the database. */
const AWAITS_LOGS = "logs.unmade";
/** What a first run makes before anything is published. */
const MADE = ["keys", "certificates"];
/** What only a finished installation makes. */
const PUBLISHED = ["tuf", "anchor", "postgres"];
const LOCK_WAIT_MS = 30_000;

const installationFile = z.strictObject({
  version: z.literal(1),
  hostname: z.string().min(1),
  treeId: z.string().regex(/^[1-9]\d{0,18}$/),
  shard: z.string().min(1),
  created: z.iso.datetime(),
  /** SHA-256 of each public key: a key file that was swapped is found before it signs. */
  keys: z.strictObject(
    Object.fromEntries(KEY_NAMES.map((name) => [name, z.string().regex(/^[0-9a-f]{64}$/)])) as Record<
      KeyName,
      z.ZodString
    >,
  ),
});
type InstallationFile = z.infer<typeof installationFile>;

/**
 * Finds the installation under `directory`, or makes it on the first run.
 *
 * Order that never changes: mark → keys → certificates → `installation.json` → unmark, and nothing is
 * published before `installation.json` is on disk. So a crash at any step leaves either a marked folder,
 * whose keys nobody has seen and which the next start makes anew, or a finished one.
 */
export async function openInstallation(directory: string, hostname: string, now: Date): Promise<Installation> {
  await makePrivateDirectory(directory);
  await requireAccess(directory);
  return withLock(join(directory, "installation.lock"), LOCK_WAIT_MS, () => openAlone(directory, hostname, now));
}

/** To be called when the logs are in the database and before anything is served: from here on a missing log was lost. */
export async function confirmLogs(directory: string): Promise<void> {
  await removeDurably(join(directory, AWAITS_LOGS));
}

async function openAlone(directory: string, hostname: string, now: Date): Promise<Installation> {
  const names = await readdir(directory);
  if (names.includes(FILE)) {
    const found = await find(directory, hostname);
    await rm(join(directory, UNFINISHED), { force: true });
    return { ...found, awaitsLogs: names.includes(AWAITS_LOGS) };
  }
  // A mark that came back, out of an old backup, must not make a first run of what has published.
  refuseForeign(directory, names, names.includes(UNFINISHED) ? PUBLISHED : [...MADE, ...PUBLISHED]);
  return make(directory, hostname, now);
}

async function make(directory: string, hostname: string, now: Date): Promise<Installation> {
  await writeDurably(join(directory, UNFINISHED), "");
  for (const name of MADE) {
    await rm(join(directory, name), { recursive: true, force: true });
    await makePrivateDirectory(join(directory, name));
  }
  const keys = await eachKey((name) => createKeyFile(keyPath(directory, name), "ecdsa-p256"));
  const created = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const authorities = await issueAuthorities(join(directory, "certificates"), hostname, created, keys);
  const file: InstallationFile = {
    version: 1,
    hostname,
    treeId: newTreeId().toString(),
    shard: String(created.getUTCFullYear()),
    created: created.toISOString(),
    keys: fingerprints(keys),
  };
  await writeDurably(join(directory, AWAITS_LOGS), "");
  await writeDurably(join(directory, FILE), `${JSON.stringify(file, null, 2)}\n`);
  // Crash here: the next start finds the file, and the mark means nothing any more.
  await rm(join(directory, UNFINISHED), { force: true });
  return { ...describe(file), ...authorities, keys, awaitsLogs: true };
}

async function find(directory: string, hostname: string): Promise<Omit<Installation, "awaitsLogs">> {
  const path = join(directory, FILE);
  const parsed = installationFile.safeParse(parseYaml(await readFile(path, "utf8"), path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Misconfigured(path, `${issue?.path.join(".") ?? ""} ${issue?.message ?? "is not whole"}`.trim());
  }
  const file = parsed.data;
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
  const authorities = await loadAuthorities(join(directory, "certificates"), keys);
  return { ...describe(file), ...authorities, keys };
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
    `${directory} holds ${left} and no ${FILE}; put the file back from a backup of the keys, or choose an empty folder`,
  );
}

async function makePrivateDirectory(path: string): Promise<void> {
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

function keyPath(directory: string, name: KeyName): string {
  return join(directory, "keys", `${name}.pem`);
}

async function eachKey(signer: (name: KeyName) => Promise<Signer>): Promise<Keys> {
  const pairs = await Promise.all(KEY_NAMES.map(async (name) => [name, await signer(name)] as const));
  return Object.fromEntries(pairs) as Record<KeyName, Signer>;
}

function fingerprints(keys: Keys): Record<KeyName, string> {
  const pairs = KEY_NAMES.map((name) => [name, encodeHex(spkiHash(keys[name].publicKey))] as const);
  return Object.fromEntries(pairs) as Record<KeyName, string>;
}

/** Positive, 63 bits, and with all 16 hexadecimal digits, as upstream's tree IDs are written. */
function newTreeId(): bigint {
  return (randomBytes(8).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn) | 0x1000_0000_0000_0000n;
}
