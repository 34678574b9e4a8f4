import { hash } from "@chancery/crypto";
import { encodeHex, equalBytes } from "@chancery/encoding";
import { Malformed, Misconfigured } from "@chancery/fault";
import type { MetaFile } from "@tufjs/models";
import type { MetadataDirectory } from "./metadata-directory.ts";
import { parseMetadata, type RoleName, type SignedFile } from "./metadata.ts";

/** A whole repository, verified. */
export interface RepositoryState {
  readonly root: SignedFile<"root">;
  readonly targets: SignedFile<"targets">;
  readonly snapshot: SignedFile<"snapshot">;
  readonly timestamp: SignedFile<"timestamp">;
  /** All that may be served, by the name under the repository's URL. */
  readonly files: Files;
}

type Files = ReadonlyMap<string, Uint8Array>;

const VERSIONED = /^([1-9][0-9]{0,9})\.(root|targets|snapshot)\.json$/;
const TARGET = /^targets\/([0-9a-f]{64}|[0-9a-f]{128})\.[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * Reads a directory as a client would, expiry aside: an expired repository is renewed, not refused.
 * Throws Misconfigured at whatever a client would stumble over.
 */
export async function loadRepository(directory: MetadataDirectory): Promise<RepositoryState> {
  const files = new Map<string, Uint8Array>();
  for (const name of await directory.names()) {
    const ours = name === "root.json" || name === "timestamp.json" || VERSIONED.test(name) || TARGET.test(name);
    const bytes = ours ? await directory.read(name) : undefined;
    if (bytes !== undefined) files.set(name, bytes);
  }
  try {
    return verifyRepository(files);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "unreadable";
    throw new Misconfigured("tuf", `the metadata there is not consistent: ${reason}`, { cause });
  }
}

/** TUF 1.0.33, 5.3 to 5.7, without the checks of time. */
export function verifyRepository(files: Files): RepositoryState {
  const root = verifyRoots(files);
  const timestamp = verifyRole(files, "timestamp", "timestamp.json", root);
  const snapshotMeta = timestamp.metadata.signed.snapshotMeta;
  const snapshot = verifyRole(files, "snapshot", `${snapshotMeta.version}.snapshot.json`, root, snapshotMeta);
  const targetsMeta = snapshot.metadata.signed.meta["targets.json"];
  if (targetsMeta === undefined) throw new Malformed("the snapshot names no targets.json");
  const targets = verifyRole(files, "targets", `${targetsMeta.version}.targets.json`, root, targetsMeta);
  for (const target of Object.values(targets.metadata.signed.targets)) {
    for (const digest of Object.values(target.hashes)) verifyTarget(files, `targets/${digest}.${target.path}`);
  }
  const state = { root, timestamp, snapshot, targets };
  return { ...state, files: new Map([...files].filter(([name, bytes]) => mayBeServed(name, bytes, state))) };
}

/** TUF 1.0.33, 5.3: each root is signed by the keys of the one before it and by its own. */
function verifyRoots(files: Files): SignedFile<"root"> {
  let root = readVersion(files, "root", "1.root.json", 1);
  root.metadata.verifyDelegate("root", root.metadata);
  if (!equalBytes(root.bytes, readFile(files, "root.json"))) throw new Malformed("root.json is not the first root");
  for (let version = 2; files.has(`${version}.root.json`); version++) {
    const next = readVersion(files, "root", `${version}.root.json`, version);
    root.metadata.verifyDelegate("root", next.metadata);
    next.metadata.verifyDelegate("root", next.metadata);
    root = next;
  }
  const newest = Math.max(...[...files.keys()].map((name) => Number(/^(\d+)\.root\.json$/.exec(name)?.[1] ?? 0)));
  if (newest > root.metadata.signed.version) {
    throw new Malformed(`${root.metadata.signed.version + 1}.root.json is missing below ${newest}.root.json`);
  }
  return root;
}

function verifyRole<R extends RoleName>(
  files: Files,
  role: R,
  name: string,
  root: SignedFile<"root">,
  meta?: MetaFile,
): SignedFile<R> {
  const file = readVersion(files, role, name, meta?.version);
  root.metadata.verifyDelegate(role, file.metadata);
  meta?.verify(Buffer.from(file.bytes));
  return file;
}

function readVersion<R extends RoleName>(files: Files, role: R, name: string, version?: number): SignedFile<R> {
  const file = parseMetadata(role, readFile(files, name), name);
  if (version !== undefined && file.metadata.signed.version !== version) {
    throw new Malformed(`${name} holds version ${file.metadata.signed.version}`);
  }
  return file;
}

function verifyTarget(files: Files, name: string): void {
  if (!isIntact(name, readFile(files, name))) throw new Malformed(`${name} is damaged`);
}

function readFile(files: Files, name: string): Uint8Array {
  const bytes = files.get(name);
  if (bytes === undefined) throw new Malformed(`${name} is missing`);
  return bytes;
}

/**
 * Older versions and targets stay: a client half-way through an update reads on in the versions it began
 * with. Versions above the current ones are what a crash left behind; no timestamp ever named them, so
 * nobody has read them, and they will be written again.
 */
function mayBeServed(name: string, bytes: Uint8Array, state: Omit<RepositoryState, "files">): boolean {
  const [, version, role] = VERSIONED.exec(name) ?? [];
  if (role === undefined) return !TARGET.test(name) || isIntact(name, bytes);
  return Number(version) <= state[role as "root" | "targets" | "snapshot"].metadata.signed.version;
}

/** A target's file name begins with its own hash. */
function isIntact(name: string, bytes: Uint8Array): boolean {
  const digest = TARGET.exec(name)?.[1];
  return digest !== undefined && digest === encodeHex(hash(digest.length === 64 ? "sha256" : "sha512", bytes));
}
