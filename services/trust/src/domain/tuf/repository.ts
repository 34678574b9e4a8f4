import type { Signer } from "@chancery/crypto";
import { Misconfigured, RefusedToSign } from "@chancery/fault";
import { tufKey } from "./key.ts";
import type { RoleStatus } from "./lifetime.ts";
import type { MetadataDirectory, VersionFloor } from "./metadata-directory.ts";
import type { RoleName, TufSigner } from "./metadata.ts";
import { prepareRelease, type Release, type TufSigners } from "./release.ts";
import { loadRepository, type RepositoryState, verifyRepository } from "./repository-state.ts";
import type { Target } from "./target.ts";

export interface TufRepositoryOptions {
  readonly directory: MetadataDirectory;
  readonly floor: VersionFloor;
  /** `root` signs root and targets and may be absent while its key is offline. */
  readonly keys: { readonly root?: Signer; readonly online: Signer };
  readonly targets: readonly Target[];
  /** Epoch milliseconds. */
  readonly now: number;
}

export interface PublishedFile {
  readonly bytes: Uint8Array;
  /** Whether this name will show these bytes for ever. */
  readonly immutable: boolean;
}

const ROLES: readonly RoleName[] = ["root", "targets", "snapshot", "timestamp"];

/** Present from before the first file until after the last: nobody has ever read such a directory. */
const UNFINISHED_MARK = "unfinished";

/**
 * The repository, kept in a directory. TUF 1.0.33, with consistent snapshots.
 *
 * Order that never changes: sign → verify as a client → write, timestamp last → raise the floor → serve.
 * So a reader sees a whole release or the one before it, wherever we crash, and no version number is ever
 * seen with two contents.
 */
export class TufRepository {
  readonly #directory: MetadataDirectory;
  readonly #floor: VersionFloor;
  readonly #signers: TufSigners;
  #state: RepositoryState;
  #busy: Promise<unknown> = Promise.resolve();

  private constructor(options: TufRepositoryOptions, signers: TufSigners, state: RepositoryState) {
    this.#directory = options.directory;
    this.#floor = options.floor;
    this.#signers = signers;
    this.#state = state;
  }

  /**
   * Finds the repository in its directory, or makes it there, publishes `targets` if they differ and signs
   * anew what ran out meanwhile.
   * Throws Misconfigured when what it finds is inconsistent, older than the floor, or under other keys.
   */
  static async open(options: TufRepositoryOptions): Promise<TufRepository> {
    const signers = signersOf(options.keys);
    const names = await options.directory.names();
    const fresh = names.length === 0 || names.includes(UNFINISHED_MARK);
    const state = await (fresh ? create(options, signers) : find(options, signers));
    const repository = new TufRepository(options, signers, state);
    if (!fresh) await repository.publish(options.targets, options.now);
    return repository;
  }

  /** Makes these the targets; content that is already there changes no version. Renews, too. */
  async publish(targets: readonly Target[], now: number): Promise<readonly RoleName[]> {
    return this.#exclusively((state) => prepareRelease(state, this.#signers, now, targets));
  }

  /** Signs anew what is running out. Safe to call at any time, and again after it failed. */
  async renew(now: number): Promise<readonly RoleName[]> {
    return this.#exclusively((state) => prepareRelease(state, this.#signers, now));
  }

  /** A file by its name under the repository's URL. */
  file(name: string): PublishedFile | undefined {
    const bytes = this.#state.files.get(name);
    if (bytes === undefined) return undefined;
    return { bytes, immutable: name !== "timestamp.json" && name !== "root.json" };
  }

  status(): readonly RoleStatus[] {
    return ROLES.map((role) => {
      const { version, expires } = this.#state[role].metadata.signed;
      return { role, version, expires: Date.parse(expires) };
    });
  }

  /**
   * One release at a time, each upon what the directory holds now and not upon what we remember: a
   * second process may have renewed it, and an operator may have put an old copy back.
   */
  #exclusively(prepare: (state: RepositoryState) => Promise<Release>): Promise<readonly RoleName[]> {
    const work = this.#busy.then(async () => {
      const state = await loadRepository(this.#directory);
      requireNotOlder(state, this.#state);
      requireKeys(state, this.#signers);
      const { files, roles } = await prepare(state);
      const next = verified(new Map([...state.files, ...files]));
      for (const [name, bytes] of files) await this.#directory.write(name, bytes);
      await this.#floor.raise(next.timestamp.metadata.signed.version);
      this.#state = next;
      return roles;
    });
    this.#busy = work.catch(() => undefined);
    return work;
  }
}

async function create(options: TufRepositoryOptions, signers: TufSigners): Promise<RepositoryState> {
  const { directory, floor, targets, now } = options;
  const served = await floor.read();
  if (served > 0) {
    throw new Misconfigured("tuf", `${directory.place} is empty, ${givenOut(served, floor)}`);
  }
  if (signers.root === undefined) throw new Misconfigured("tuf", "a new repository needs the root key");
  const release = await prepareRelease(undefined, signers, now, targets);
  const state = verified(release.files);
  // Crash before the mark is gone: the next start begins again, over files that nobody has read.
  await directory.write(UNFINISHED_MARK, new Uint8Array());
  for (const [name, bytes] of release.files) await directory.write(name, bytes);
  await directory.remove(UNFINISHED_MARK);
  // Crash before this: the next start finds the repository whole and raises the floor itself.
  await floor.raise(state.timestamp.metadata.signed.version);
  return state;
}

async function find({ directory, floor }: TufRepositoryOptions, signers: TufSigners): Promise<RepositoryState> {
  const state = await loadRepository(directory);
  const [version, served] = [state.timestamp.metadata.signed.version, await floor.read()];
  if (version < served) {
    throw new Misconfigured(
      "tuf",
      `${directory.place} is an old copy: it holds timestamp version ${version}, ${givenOut(served, floor)}`,
    );
  }
  requireKeys(state, signers);
  await floor.raise(version);
  return state;
}

function givenOut(served: number, { place }: VersionFloor): string {
  return `and ${served} was given out before, as ${place} says: stop, and put the newer directory in its place; of several processes with one anchor folder, make it a link to the directory that they share`;
}

/** A signer that answers with a wrong signature must not cost clients their trust root. */
function verified(files: ReadonlyMap<string, Uint8Array>): RepositoryState {
  try {
    return verifyRepository(files);
  } catch (cause) {
    throw new RefusedToSign("the new TUF metadata does not verify and was not published", { cause });
  }
}

function requireNotOlder(found: RepositoryState, known: RepositoryState): void {
  for (const role of ROLES) {
    const [now, before] = [found[role].metadata.signed.version, known[role].metadata.signed.version];
    if (now < before) {
      throw new RefusedToSign(`the TUF directory went back from ${role} version ${before} to ${now}`);
    }
  }
}

function requireKeys(state: RepositoryState, { root, online }: TufSigners): void {
  const { roles } = state.root.metadata.signed;
  const expected: readonly (readonly [RoleName, TufSigner | undefined])[] = [
    ["root", root],
    ["targets", root],
    ["snapshot", online],
    ["timestamp", online],
  ];
  for (const [role, signer] of expected) {
    const keyIDs = roles[role]?.keyIDs ?? [];
    if (signer !== undefined && (keyIDs.length !== 1 || keyIDs[0] !== signer.key.keyID)) {
      throw new Misconfigured("tuf", `${role} is signed by key ${keyIDs.join(", ")}, and ours is ${signer.key.keyID}`);
    }
  }
}

function signersOf({ root, online }: TufRepositoryOptions["keys"]): TufSigners {
  const onlineSigner = { key: tufKey(online.publicKey, "tuf online key"), signer: online };
  if (root === undefined) return { online: onlineSigner };
  const rootSigner = { key: tufKey(root.publicKey, "tuf root key"), signer: root };
  if (rootSigner.key.keyID === onlineSigner.key.keyID) {
    throw new Misconfigured("tuf", "the root key must not be the online key");
  }
  return { root: rootSigner, online: onlineSigner };
}
