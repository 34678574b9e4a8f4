import { setTimeout } from "node:timers/promises";
import { staleness } from "./lifetime.ts";
import type { RoleName } from "./metadata.ts";
import type { TufRepository } from "./repository.ts";

const HOUR = 3_600_000;
const FIRST_RETRY = 60_000;

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
   * Looks every hour, and sooner again after a failure: a minute later, then twice as long each time. The
   * look is cheap, and an hour is short beside the six days that clients survive without us.
   */
  async run(signal: AbortSignal): Promise<void> {
    let [wait, retry] = [HOUR, FIRST_RETRY];
    while (!signal.aborted) {
      await this.#sleep(wait, signal).catch(() => undefined);
      if (signal.aborted) return;
      const done = await this.renewNow();
      [wait, retry] = done ? [HOUR, FIRST_RETRY] : [retry, Math.min(HOUR, retry * 2)];
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
