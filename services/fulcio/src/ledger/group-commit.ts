import { setImmediate as nextTurn } from "node:timers/promises";
import { Pushback, Unavailable } from "@chancery/fault";

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

  /** Resolves when the entry is committed. */
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
    while (this.#waiting.length > 0) {
      // What comes in the same turn goes together.
      await nextTurn();
      await this.#commitBatch(this.#waiting.splice(0, LARGEST_BATCH));
    }
    this.#isRunning = false;
  }

  /** An entry that the database refuses must not take others with it: then each is tried alone. */
  async #commitBatch(batch: readonly Waiter<T>[]): Promise<void> {
    try {
      await this.#commit(batch.map(({ entry }) => entry));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      if (batch.length > 1 && !(error instanceof Unavailable)) {
        for (const waiter of batch) await this.#commitBatch([waiter]);
      } else for (const { reject } of batch) reject(error);
    }
  }
}
