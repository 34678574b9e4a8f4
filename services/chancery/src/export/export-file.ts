import { createHash, createHmac, type Hash, timingSafeEqual } from "node:crypto";
import { access, constants, type FileHandle, link, open, readFile, rename, rm, stat } from "node:fs/promises";
import { Misconfigured, Unavailable } from "@chancery/fault";
import { z } from "zod";
import { removeDurably, writeDurably } from "../durable-file.ts";
import type { Position } from "./source.ts";

/** How far a file has come: everything before `bytes` is on disk, and has this hash. */
const progress = z.strictObject({
  bytes: z.number().int().nonnegative(),
  count: z.number().int().nonnegative(),
  sha256: z.string(),
  position: z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string())])).optional(),
});
const stateFile = z.strictObject({ version: z.literal(2), begun: z.unknown(), progress });

type Progress = z.infer<typeof progress>;

const partOf = (path: string) => `${path}.part`;
const stateOf = (path: string) => `${path}.state`;
export const manifestOf = (path: string) => `${path}.manifest`;

/** A save is a sync of the file: no crash takes more than the work of so long. */
const SAVE_MS = 2_000;
const RETRY_SECONDS = 60;
const START: Progress = { bytes: 0, count: 0, sha256: "", position: undefined };

interface Place {
  readonly path: string;
  readonly secret: Uint8Array;
  readonly saveMs: number;
}

export interface FinishedFile {
  readonly count: number;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * A file that grows beside its name (`.part`) and gets it when its manifest is there, so that what bears the name is
 * whole. A state file says how far it has come and what was begun; what a crash left behind that is cut off. The end of
 * it is signed by the logs' keys, so the state bears an HMAC: who may write in the folder has no say in what is signed.
 */
export class ExportFile implements AsyncDisposable {
  readonly #path: string;
  readonly #begun: unknown;
  readonly #secret: Uint8Array;
  readonly #file: FileHandle;
  readonly #hash: Hash;
  readonly #saveMs: number;
  #progress: Progress;
  #savedAt = performance.now();
  /** A state is on disk. */
  #isResumable: boolean;

  private constructor({ path, secret, saveMs }: Place, begun: unknown, file: FileHandle, hash: Hash, from: Progress) {
    this.#path = path;
    this.#begun = begun;
    this.#secret = secret;
    this.#file = file;
    this.#hash = hash;
    this.#progress = from;
    this.#isResumable = from !== START;
    this.#saveMs = saveMs;
  }

  /** `begun` is what a later process needs to go on; nothing that is there already is written over. */
  static async create(path: string, secret: Uint8Array, begun: unknown, saveMs = SAVE_MS): Promise<ExportFile> {
    for (const name of [path, manifestOf(path), stateOf(path), partOf(path)]) {
      if (!(await exists(name))) continue;
      const way = name === stateOf(path) || name === partOf(path) ? "; go on with it by --resume, or take it away" : "";
      throw new Misconfigured("--out", `${name} is there already${way}`);
    }
    const file = await openPart(partOf(path), "wx");
    const made = new ExportFile({ path, secret, saveMs }, begun, file, createHash("sha256"), START);
    try {
      await made.#save();
    } catch (error) {
      // Without a state nothing can go on with it.
      await file.close();
      await rm(partOf(path), { force: true });
      throw error;
    }
    return made;
  }

  /** What was begun at this path and is not finished; undefined where there is nothing, or all. */
  static async begunAt(path: string, secret: Uint8Array): Promise<unknown> {
    const text = await readFile(stateOf(path), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    if ((await isFinished(path)) && (await isNamed(path))) {
      await removeDurably(partOf(path));
      await removeDurably(stateOf(path));
      return undefined;
    }
    return parseState(path, text, secret).begun;
  }

  static async resume(path: string, secret: Uint8Array, saveMs = SAVE_MS): Promise<ExportFile> {
    const state = parseState(path, await readFile(stateOf(path), "utf8"), secret);
    const { progress: from } = state;
    const file = await openPart(partOf(path), constants.O_RDWR | constants.O_NOFOLLOW);
    try {
      const hash = await hashOf(file, path, from);
      // Last of all: what is not this export's file is left as it was.
      await file.truncate(from.bytes);
      return new ExportFile({ path, secret, saveMs }, state.begun, file, hash, from);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get begun(): unknown {
    return this.#begun;
  }

  /** Where the lines that are written end; undefined before the first. */
  get position(): Position | undefined {
    return this.#progress.position;
  }

  /** Not even a heading is in it. */
  get isEmpty(): boolean {
    return this.#progress.bytes === 0;
  }

  async append(bytes: Uint8Array, count: number, position: Position | undefined): Promise<void> {
    this.#hash.update(bytes);
    await this.#onDisk(() => writeAt(this.#file, bytes, this.#progress.bytes));
    this.#progress = {
      bytes: this.#progress.bytes + bytes.length,
      count: this.#progress.count + count,
      sha256: "",
      position: position as Progress["position"],
    };
    if (performance.now() - this.#savedAt >= this.#saveMs) await this.#save();
  }

  /** The whole of it is on disk; what remains is to sign for it. */
  async finished(): Promise<FinishedFile> {
    await this.#save();
    const { bytes, count, sha256 } = this.#progress;
    return { bytes, count, sha256 };
  }

  /** A crash after the manifest, or after the name, leaves a state that `resume` ends in the same way. */
  async publish(manifest: Uint8Array): Promise<void> {
    const [path, text] = [manifestOf(this.#path), Buffer.from(manifest).toString()];
    // One of this very export is what an earlier process had come to.
    const there = await readFile(path, "utf8").catch(() => undefined);
    if (there !== undefined && there !== text && !there.includes(this.#progress.sha256)) throw appeared(path);
    await this.#onDisk(() => writeDurably(path, text));
    await giveName(this.#path);
    await removeDurably(stateOf(this.#path));
  }

  /** Before an end that was asked for: nothing that was written is lost. */
  async save(): Promise<void> {
    await this.#save();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #save(): Promise<void> {
    await this.#onDisk(() => this.#saved());
  }

  /** A disk may be full: the operator is told which file it was, and that nothing is lost. */
  async #onDisk(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      const [part, code] = [partOf(this.#path), codeOf(cause)];
      const kept = this.#isResumable ? "what was exported is kept: --resume goes on from it" : "nothing was exported";
      throw new Unavailable(`${part} and what belongs to it cannot be written (${code}); ${kept}`, RETRY_SECONDS, {
        cause,
      });
    }
  }

  async #saved(): Promise<void> {
    await this.#file.datasync();
    this.#progress = { ...this.#progress, sha256: this.#hash.copy().digest("hex") };
    const state: z.infer<typeof stateFile> = { version: 2, begun: this.#begun, progress: this.#progress };
    const text = JSON.stringify(state);
    await writeDurably(stateOf(this.#path), `${text}\n${hmacOf(text, this.#secret).toString("hex")}\n`);
    this.#savedAt = performance.now();
    this.#isResumable = true;
  }
}

/**
 * By a link, which unlike a renaming does not replace a file that came to bear the name meanwhile. Without links (on
 * exFAT, or a share of Windows) nothing but a look before is left.
 */
async function giveName(path: string): Promise<void> {
  try {
    await link(partOf(path), path);
  } catch (cause) {
    if (codeOf(cause) === "EEXIST" || (await exists(path))) throw appeared(path);
    if (!WITHOUT_LINKS.has(codeOf(cause))) throw cause;
    await rename(partOf(path), path);
  }
  await removeDurably(partOf(path));
}

const WITHOUT_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Whether the file has its name, and at most a crash left the other beside it. */
async function isNamed(path: string): Promise<boolean> {
  const part = await stat(partOf(path)).catch(() => undefined);
  if (part === undefined) return true;
  const named = await stat(path);
  return part.ino === named.ino && part.dev === named.dev;
}

function appeared(path: string): Misconfigured {
  return new Misconfigured(
    "--out",
    `${path} appeared while this export ran, and is left as it is; take it away, and end the export by --resume`,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}

/** Of what was saved. Read from the open file, so that none can be put in its place between its reading and its cutting. */
async function hashOf(file: FileHandle, path: string, saved: Progress): Promise<Hash> {
  const found = await file.stat();
  // A second name is another file of its owner's, linked here by who may write in this folder.
  if (!found.isFile() || found.nlink > 1)
    throw new Misconfigured("--resume", `${partOf(path)} is no file of an export`);
  if (found.size < saved.bytes) throw new Misconfigured("--resume", `${partOf(path)} is shorter than it was`);
  const hash = createHash("sha256");
  if (saved.bytes > 0) {
    const read = file.createReadStream({ start: 0, end: saved.bytes - 1, autoClose: false });
    for await (const chunk of read) hash.update(chunk as Buffer);
  }
  if (hash.copy().digest("hex") === saved.sha256) return hash;
  throw new Misconfigured("--resume", `${partOf(path)} was changed since; take it away and begin anew`);
}

/** Names and places of people: for its owner alone. */
async function openPart(path: string, flags: string | number): Promise<FileHandle> {
  try {
    return await open(path, flags, 0o600);
  } catch (cause) {
    throw new Misconfigured("--out", `${path} cannot be opened (${codeOf(cause)})`, { cause });
  }
}

function hmacOf(state: string, secret: Uint8Array): Buffer {
  return createHmac("sha256", secret).update(`chancery-export-state/v2\n${state}`).digest();
}

function parseState(path: string, text: string, secret: Uint8Array): z.infer<typeof stateFile> {
  const [state = "", hmac, ...rest] = text.split("\n");
  if (hmac === undefined || rest.join("") !== "") throw new Misconfigured("--resume", `${stateOf(path)} is not whole`);
  const [given, own] = [Buffer.from(hmac, "hex"), hmacOf(state, secret)];
  if (given.length !== own.length || !timingSafeEqual(given, own)) {
    const why = "was changed since, or written by another installation or version";
    throw new Misconfigured("--resume", `${stateOf(path)} ${why}; take it away and begin anew`);
  }
  try {
    return stateFile.parse(JSON.parse(state));
  } catch (cause) {
    throw new Misconfigured("--resume", `${stateOf(path)} is not whole`, { cause });
  }
}

export async function isFinished(path: string): Promise<boolean> {
  return (await exists(path)) && (await exists(manifestOf(path)));
}

export async function isBegun(path: string): Promise<boolean> {
  return await exists(stateOf(path));
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
