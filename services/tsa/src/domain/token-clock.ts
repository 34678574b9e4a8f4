import { Unavailable } from "@chancery/fault";

/** What a token promises: accuracy of one second. */
const TOLERANCE_MS = 1_000;

/**
 * The time that tokens carry; it never goes back.
 *
 * A wall clock that was set back has been wrong once, and nobody here can tell whether it was before or after:
 * tokens wait until it has caught up. Nothing is asked of the network; keeping the host's clock right is NTP's work.
 */
export class TokenClock {
  readonly #wallClock: () => number;
  #latest = Number.NEGATIVE_INFINITY;

  constructor(wallClock: () => number) {
    this.#wallClock = wallClock;
  }

  /** Milliseconds since the epoch. */
  next(): number {
    const now = this.#wallClock();
    const behind = this.#latest - now;
    if (behind > TOLERANCE_MS) {
      throw new Unavailable("timestamp: the authority's clock went back", Math.min(Math.ceil(behind / 1000), 60));
    }
    this.#latest = Math.max(this.#latest, now);
    return this.#latest;
  }

  /** For readiness: the clock as it is, and by how much it is behind what was already stamped. */
  look(): { readonly now: number; readonly behind: number } {
    const now = this.#wallClock();
    return { now, behind: Math.max(this.#latest - now - TOLERANCE_MS, 0) };
  }
}
