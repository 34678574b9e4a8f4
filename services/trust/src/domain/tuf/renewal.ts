import { setTimeout } from "node:timers/promises";
import { staleness } from "./lifetime.ts";
import type { RoleName } from "./metadata.ts";
import type { TufRepository } from "./repository.ts";

const LOOK_EVERY = 5 * 60_000;
const FIRST_RETRY = 60_000;
const LAST_RETRY = 60 * 60_000;

export interface RenewalListener {
  renewed(roles: readonly RoleName[]): void;
  failed(error: unknown): void;
}

/** Resolves after so many milliseconds, or at once, with or without an error, when the signal is aborted. */
export type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/** Keeps a repository's signatures fresh for as long as its signal is not aborted. */
export class Renewal {
  readonly #repository: TufRepository;
  readonly #clock: () => number;
  readonly #listener: RenewalListener;
  readonly #sleep: Sleep;
  #failure: string | undefined;

  constructor(repository: TufRepository, clock: () => number, listener: RenewalListener, sleep: Sleep = unrefSleep) {
    this.#repository = repository;
    this.#clock = clock;
    this.#listener = listener;
    this.#sleep = sleep;
  }

  /** One attempt; it does not throw. */
  async renewNow(): Promise<boolean> {
    try {
      const roles = await this.#repository.renew(this.#clock());
      if (roles.length > 0) this.#listener.renewed(roles);
      this.#failure = undefined;
      return true;
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : "unknown reason";
      this.#listener.failed(error);
      return false;
    }
  }

  /**
   * Looks every five minutes, and after a failure a minute later, then twice as long each time. The look is cheap;
   * and a timer stands still while its machine sleeps, so that a laptop may wake with metadata that is long expired.
   */
  async run(signal: AbortSignal): Promise<void> {
    let [wait, retry] = [LOOK_EVERY, FIRST_RETRY];
    while (!signal.aborted) {
      await this.#sleep(wait, signal).catch(() => undefined);
      if (signal.aborted) return;
      const done = await this.renewNow();
      [wait, retry] = done ? [LOOK_EVERY, FIRST_RETRY] : [retry, Math.min(LAST_RETRY, retry * 2)];
    }
  }

  /** Why clients are about to be left without a trust root, or already are; undefined while all is well. */
  worry(): string | undefined {
    const reason = staleness(this.#repository.status(), this.#clock());
    if (reason === undefined || this.#failure === undefined) return reason;
    return `${reason} (the last attempt failed: ${this.#failure})`;
  }
}

/** Does not keep a process alive that has nothing else to do. */
const unrefSleep: Sleep = (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal, ref: false });
