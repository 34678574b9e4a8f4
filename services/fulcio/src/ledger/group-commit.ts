import { Pushback } from "@chancery/fault";

interface Waiter<T> {
  readonly entry: T;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const LARGEST_BATCH = 256;

/**
 * Commits what arrived during the last commit as one batch. There is no timer: one writer waits for one commit, a
 * hundred share it.
 */
export class GroupCommit<T> {
  readonly #commit: (entries: readonly T[]) => Promise<void>;
  readonly #most: number;
  #waiting: Waiter<T>[] = [];
  #isRunning = false;

  /** `most` bounds what waits, should the database be slower than its writers. */
  constructor(commit: (entries: readonly T[]) => Promise<void>, most: number) {
    this.#commit = commit;
    this.#most = most;
  }

  /** Resolves when the entry is committed. If its batch fails, so do all in it: which of them is at fault is not known. */
  add(entry: T): Promise<void> {
    if (this.#waiting.length >= this.#most) {
      return Promise.reject(new Pushback(`${this.#waiting.length} entries wait for the ledger`, 1));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ entry, resolve, reject });
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // What comes in the same turn goes together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, LARGEST_BATCH);
      try {
        await this.#commit(batch.map(({ entry }) => entry));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isRunning = false;
  }
}
