import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import type { MetadataDirectory, VersionFloor } from "./metadata-directory.ts";

const UNFINISHED = ".tmp";

/** A folder that can be served or copied as it is: it holds what the repository's URL shows. */
export class FileDirectory implements MetadataDirectory {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Makes the folder where there is none, and clears away what a crash left half-written. */
  static async open(path: string): Promise<FileDirectory> {
    await mkdir(join(path, "targets"), { recursive: true });
    const left = (await readdir(path, { recursive: true })).filter((name) => name.endsWith(UNFINISHED));
    await Promise.all(left.map((name) => rm(join(path, name), { force: true })));
    return new FileDirectory(path);
  }

  get place(): string {
    return this.#path;
  }

  async names(): Promise<readonly string[]> {
    const [top, targets] = await Promise.all([files(this.#path), files(join(this.#path, "targets"))]);
    return [...top, ...targets.map((name) => `targets/${name}`)];
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return readIfThere(join(this.#path, name));
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    await writeDurably(join(this.#path, name), bytes);
  }

  async remove(name: string): Promise<void> {
    const path = join(this.#path, name);
    await rm(path, { force: true });
    await syncFolder(dirname(path));
  }
}

/** One decimal in one file. */
export class FileVersionFloor implements VersionFloor {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  get place(): string {
    return this.#path;
  }

  async read(): Promise<number> {
    const bytes = await readIfThere(this.#path);
    if (bytes === undefined) return 0;
    const text = new TextDecoder().decode(bytes).trim();
    if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new Misconfigured(this.#path, "does not hold a version number");
    return Number(text);
  }

  async raise(version: number): Promise<void> {
    if (version <= (await this.read())) return;
    await mkdir(dirname(this.#path), { recursive: true });
    await writeDurably(this.#path, new TextEncoder().encode(`${version}\n`));
  }
}

async function files(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith(UNFINISHED)).map((entry) => entry.name);
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * New bytes in a file of their own, synced, then renamed over the name, then the folder synced. A crash
 * before the rename leaves the old file and a stray one that nobody reads; a crash after it may show
 * either file whole. Without the last sync the rename itself may be lost.
 */
async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const unfinished = `${path}.${randomUUID()}${UNFINISHED}`;
  try {
    const file = await open(unfinished, "wx", 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (error) {
    // A full disk, most likely: do not fill it further with each attempt.
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
