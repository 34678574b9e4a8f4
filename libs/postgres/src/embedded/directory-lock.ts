import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Misconfigured } from "@chancery/fault";

/**
 * One process for one directory. The lock is the kernel's (fcntl, through SQLite, since Node offers no
 * other way to it): a crash releases it, a reused process ID cannot fake it, two containers on one volume see
 * it, and there is no moment at which two starters both believe a stale one theirs.
 */
export function lockDirectory(directory: string): { release(): void } {
  const file = new DatabaseSync(join(directory, "lock"), { timeout: 0 });
  try {
    file.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    file.close();
    if ((cause as { errcode?: number }).errcode !== 5) throw cause;
    throw new Misconfigured("CHANCERY_DATA", `another Chancery is running on ${directory}`, { cause });
  }
  return { release: () => file.close() };
}
