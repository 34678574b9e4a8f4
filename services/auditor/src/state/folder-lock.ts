import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { Misconfigured } from "@chancery/fault";

const POLL_MS = 100;
/** SQLite's result code when another holds the lock. */
const SQLITE_BUSY = 5;

/**
 * That one auditor has a folder: two would write over what the other proved, and each would take the other's memory for its
 * own. A lock of the kernel's (fcntl, through SQLite: Node offers no other way to it), so that a killed auditor holds none.
 */
export class FolderLock implements Disposable {
  readonly #file: DatabaseSync;

  private constructor(file: DatabaseSync) {
    this.#file = file;
  }

  /** Waits for one that is just ending. */
  static async take(path: string, waitMs: number): Promise<FolderLock> {
    const until = performance.now() + waitMs;
    for (;;) {
      const lock = tryLock(path);
      if (lock !== undefined) return new FolderLock(lock);
      if (performance.now() >= until) {
        throw new Misconfigured(
          "auditor.state",
          `another auditor works in this folder (${path} is locked): give each a folder of its own`,
        );
      }
      await delay(POLL_MS);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function tryLock(path: string): DatabaseSync | undefined {
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(path, { timeout: 0 });
    file.exec("BEGIN EXCLUSIVE");
    return file;
  } catch (cause) {
    file?.close();
    if (cause instanceof Error && "errcode" in cause && Number(cause.errcode) % 256 === SQLITE_BUSY) return undefined;
    throw new Misconfigured("auditor.state", `${path} cannot be locked`, { cause });
  }
}
