import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { Misconfigured } from "@chancery/fault";

/** Replaces a file as a whole: after a crash it holds the old text or the new one, and after a return the new one for ever. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await using file = await open(temporary, "wx", 0o600);
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    // Half of a text takes what little room a full disk has left.
    await rm(temporary, { force: true });
    throw error;
  }
  await rename(temporary, path);
  await syncDirectoryOf(path);
}

/** Gone for ever, also after a power cut. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncDirectoryOf(path);
}

async function syncDirectoryOf(path: string): Promise<void> {
  await using directory = await open(dirname(path), "r");
  await directory.sync();
}

const LOCK_POLL_MS = 50;
/** SQLite's result code when another holds the lock. */
const SQLITE_BUSY = 5;

/**
 * Works under a lock of the kernel's (fcntl, through SQLite: Node offers no other way to it), so that a
 * crash releases it. Waits for another holder, at most `waitMs`.
 */
export async function withLock<T>(path: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const file = openLock(path);
  try {
    await take(file, path, performance.now() + waitMs);
    return await work();
  } finally {
    file.close();
  }
}

function openLock(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 });
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function unusable(path: string, cause: unknown): Misconfigured {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new Misconfigured("CHANCERY_DATA", `${path} may not be read and written by this user${why}`, { cause });
}

async function take(file: DatabaseSync, path: string, until: number): Promise<void> {
  for (;;) {
    try {
      file.exec("BEGIN EXCLUSIVE");
      return;
    } catch (cause) {
      if (!isBusy(cause)) throw unusable(path, cause);
      if (performance.now() > until) {
        throw new Misconfigured("CHANCERY_DATA", `${path} is held by another start of Chancery`, { cause });
      }
    }
    await delay(LOCK_POLL_MS);
  }
}

/** Whatever else it is, a full disk or a file of another user's, waiting does not help. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && Number(error.errcode) % 256 === SQLITE_BUSY;
}
