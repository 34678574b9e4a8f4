import { randomBytes } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Misconfigured } from "@chancery/fault";

/** Replaces a file as a whole: after a crash it holds the old text or the new one, and after a return the new one for ever. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  {
    await using file = await open(temporary, "wx", 0o600);
    await file.writeFile(text);
    await file.sync();
  }
  await rename(temporary, path);
  await using directory = await open(dirname(path), "r");
  await directory.sync();
}

/**
 * Works under a lock of the kernel's (fcntl, through SQLite: Node offers no other way to it), so that a
 * crash releases it. Waits for another holder, blocking this process: it has nothing else to do yet.
 */
export async function withLock<T>(path: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const file = new DatabaseSync(path, { timeout: waitMs });
  try {
    try {
      file.exec("BEGIN EXCLUSIVE");
    } catch (cause) {
      throw new Misconfigured("CHANCERY_DATA", `${path} is held by another start of Chancery`, { cause });
    }
    return await work();
  } finally {
    file.close();
  }
}
