import { setTimeout as delay } from "node:timers/promises";
import type { TransparencyLog } from "@chancery/log";

/**
 * Monitors take a log whose newest tree head is older than its maximum merge delay, a day, for dead (RFC 6962,
 * Sections 3 and 3.5), and an idle log signs nothing by itself.
 */
export const RENEW_AFTER_MS = 60 * 60_000;
/** The look is one small query; of several processes on a log, the first to look signs. */
const LOOK_EVERY_MS = 60_000;

export interface RenewalListener {
  failed(error: unknown): void;
}

/** Resolves after so many milliseconds, or at once, with or without an error, when the signal is aborted. */
export type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/** Keeps the tree head of an idle log fresh for as long as its signal is not aborted. */
export class TreeHeadRenewal {
  readonly #log: Pick<TransparencyLog, "renew">;
  readonly #listener: RenewalListener;
  readonly #sleep: Sleep;
  #failures = 0;

  constructor(log: Pick<TransparencyLog, "renew">, listener: RenewalListener, sleep: Sleep = unrefSleep) {
    this.#log = log;
    this.#listener = listener;
    this.#sleep = sleep;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#renew();
      await this.#sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** Told once an hour: why the log cannot be written to, its readiness says all the while. */
  async #renew(): Promise<void> {
    try {
      await this.#log.renew(RENEW_AFTER_MS);
      this.#failures = 0;
    } catch (error) {
      if (this.#failures++ % (RENEW_AFTER_MS / LOOK_EVERY_MS) === 0) this.#listener.failed(error);
    }
  }
}

/** Does not keep a process alive that has nothing else to do. */
const unrefSleep: Sleep = (milliseconds, signal) => delay(milliseconds, undefined, { signal, ref: false });
