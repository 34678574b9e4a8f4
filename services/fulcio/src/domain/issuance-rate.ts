import { counted } from "@chancery/encoding";
import { RateLimited } from "@chancery/fault";
import type { Principal } from "./principal.ts";

/** Certificates of one identity; whatever is left out is not bounded. */
export interface IssuanceRates {
  readonly perMinute?: number | undefined;
  readonly perHour?: number | undefined;
}

/** Identities that are remembered. Beyond them the oldest go, and may begin anew: it bounds memory and opens nothing to others. */
const MOST_IDENTITIES = 65_536;

/**
 * Bounds what a stolen or replayed token is good for: as many certificates at once as are allowed in the time, and
 * then one each time its share of it has passed.
 *
 * Generic cell rate algorithm (ITU-T I.371, Annex A): of an identity one moment is kept for each bound, the one at which
 * all that was taken is paid for.
 */
export class IssuanceRate {
  readonly #bounds: readonly { readonly most: number; readonly period: number; readonly name: string }[];
  readonly #clock: () => number;
  readonly #paid = new Map<string, readonly number[]>();

  constructor({ perMinute, perHour }: IssuanceRates, clock: () => number) {
    this.#clock = clock;
    this.#bounds = [
      { most: perMinute, period: 60_000, name: "a minute" },
      { most: perHour, period: 3_600_000, name: "an hour" },
    ].flatMap(({ most, ...bound }) => (most === undefined ? [] : [{ most, ...bound }]));
  }

  /** Counts one certificate for the principal of this issuer. Throws RateLimited, and counts nothing, where it is one too many. */
  take(issuer: string, { san }: Principal): void {
    if (this.#bounds.length === 0) return;
    const identity = JSON.stringify([issuer, san.type, san.value]);
    const now = this.#clock();
    const before = this.#paid.get(identity);
    const paid = this.#bounds.map(({ most, period, name }, at) => {
      // A clock that was put back must not lock anyone out for longer than the period.
      const due = Math.min(Math.max(before?.[at] ?? now, now), now + period) + period / most;
      if (due - now <= period) return due;
      const wait = Math.ceil((due - now - period) / 1000);
      throw new RateLimited(
        `this identity may have ${counted(most, "certificate")} in ${name}, the next one in ${wait} s`,
        wait,
      );
    });
    this.#paid.delete(identity);
    this.#paid.set(identity, paid);
    if (this.#paid.size > MOST_IDENTITIES) this.#forgetOldest();
  }

  /** Takes back one that was counted and not issued. */
  giveBack(issuer: string, { san }: Principal): void {
    const identity = JSON.stringify([issuer, san.type, san.value]);
    const paid = this.#paid.get(identity);
    if (paid === undefined) return;
    this.#paid.set(
      identity,
      this.#bounds.map(({ most, period }, at) => (paid[at] ?? 0) - period / most),
    );
  }

  #forgetOldest(): void {
    const [oldest] = this.#paid.keys();
    if (oldest !== undefined) this.#paid.delete(oldest);
  }
}
