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

  /**
   * Milliseconds since the epoch. `check` throws for a time that no token may carry; such a time is not remembered, or
   * a clock that was wrong by years for one request would hold up all that follow.
   */
  next(check: (time: number) => void): number {
    const now = this.#wallClock();
    const behind = this.#latest - now;
    if (behind > TOLERANCE_MS) {
      throw new Unavailable("timestamp: the authority's clock went back", Math.min(Math.ceil(behind / 1000), 60));
    }
    const time = Math.max(this.#latest, now);
    check(time);
    this.#latest = time;
    return time;
  }

  /** For readiness: the clock as it is, and by how much it is behind what was already stamped. */
  look(): { readonly now: number; readonly behind: number } {
    const now = this.#wallClock();
    return { now, behind: Math.max(this.#latest - now - TOLERANCE_MS, 0) };
  }
}
