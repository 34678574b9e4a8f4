import { uptime } from "node:os";
import { Unavailable } from "@chancery/fault";

/**
 * What the clocks of well-kept machines differ by at most. A log that is stamped from several machines lives with
 * it, and so does a certificate of ten minutes. (A clock skew between its nodes ended Mammoth2025h1.)
 */
export const TOLERANCE_MS = 10_000;
const RETRY_AFTER = 10;

/**
 * The time of a log, which only goes forward and is signed for ever. A clock that stands behind what was signed would
 * stamp entries with a time that is not theirs, and so would one that was set far ahead, for as long as the log has to
 * live with that time: certificates of ten minutes would be found outside their validity. Either is told, and nothing is
 * stamped until it is set right.
 *
 * A jump ahead is seen against the time since this machine started, which nobody can set and which goes on while it
 * sleeps. A clock that was wrong already when the process started cannot be told from a log that was idle: starting
 * anew is how an operator accepts a jump.
 */
export class LogClock {
  readonly #now: () => number;
  readonly #elapsed: () => number;
  /** The furthest that the clock was ahead of the time since the machine's start while it was not doubted. */
  #ahead: number | undefined;

  constructor(now: () => number, elapsed: () => number = sinceStart) {
    this.#now = now;
    this.#elapsed = elapsed;
  }

  /**
   * The time of what comes after `last`. "Each subsequent timestamp MUST be more recent than the timestamp of the
   * previous update" (RFC 6962, Section 3.5). Throws Unavailable while the clock is doubted.
   */
  stamp(last: number): number {
    const now = this.#now();
    const reason = this.#doubt(now, last);
    if (reason !== undefined) throw new Unavailable(reason, RETRY_AFTER);
    return Math.max(now, last + 1);
  }

  age(time: number): number {
    return this.#now() - time;
  }

  /** Why the clock is wrong on a log that was signed at `last`; undefined while it may be right. */
  doubt(last: number): string | undefined {
    return this.#doubt(this.#now(), last);
  }

  #doubt(now: number, last: number): string | undefined {
    if (last - now > TOLERANCE_MS) {
      return `the clock stands ${inWords(last - now)} behind the newest tree head: nothing is logged until it is set right`;
    }
    const ahead = now - this.#elapsed();
    const known = this.#ahead ?? ahead;
    if (ahead - known > TOLERANCE_MS) {
      return `the clock jumped ${inWords(ahead - known)} ahead: nothing is logged until it is set right, or Chancery started anew`;
    }
    // Small steps, as time servers make them, are no doubt however many there are.
    this.#ahead = Math.max(known, ahead);
    return undefined;
  }
}

function sinceStart(): number {
  return uptime() * 1000;
}

function inWords(milliseconds: number): string {
  const units = [
    [86_400_000, "days"],
    [3_600_000, "hours"],
    [60_000, "minutes"],
  ] as const;
  const [length, unit] = units.find(([least]) => milliseconds >= 2 * least) ?? [1000, "seconds"];
  return `${Math.round(milliseconds / length)} ${unit}`;
}
