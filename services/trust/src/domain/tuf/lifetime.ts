import type { RoleName } from "./metadata.ts";

const DAY = 86_400_000;

interface Lifetime {
  /** From signing to expiry. */
  readonly life: number;
  /** Signed anew once no more than this is left. */
  readonly renewAt: number;
  /** With less than this left, renewal has failed for so long that someone must look. */
  readonly worryBelow: number;
}

/**
 * How long a signature stands, in milliseconds.
 *
 * The timestamp is what bounds a freeze attack (TUF 1.0.33, 1.5.2): a week, signed anew each day, so that
 * clients survive six days of ours being down. The others are renewed at half their life, so that an
 * installation that was off for months comes back with valid metadata; the root is renewed for as long as
 * its key is at hand, at most twice a year of the 256 rotations that clients follow.
 */
const LIFETIMES: Readonly<Record<RoleName, Lifetime>> = {
  root: { life: 365 * DAY, renewAt: 183 * DAY, worryBelow: 30 * DAY },
  targets: { life: 365 * DAY, renewAt: 183 * DAY, worryBelow: 30 * DAY },
  snapshot: { life: 180 * DAY, renewAt: 90 * DAY, worryBelow: 30 * DAY },
  timestamp: { life: 7 * DAY, renewAt: 6 * DAY, worryBelow: 3.5 * DAY },
};

export interface RoleStatus {
  readonly role: RoleName;
  readonly version: number;
  /** Epoch milliseconds, as are all times here. */
  readonly expires: number;
}

/** In whole seconds: python-tuf refuses a fraction. */
export function expiryOf(role: RoleName, now: number): string {
  return new Date(now + LIFETIMES[role].life).toISOString().replace(/\.\d{3}Z$/, "Z");
}

export function isDue(role: RoleName, signed: { readonly expires: string }, now: number): boolean {
  return Date.parse(signed.expires) - now <= LIFETIMES[role].renewAt;
}

/** The first role whose metadata is running out or has run out, as a sentence; undefined when all are fresh. */
export function staleness(roles: readonly RoleStatus[], now: number): string | undefined {
  const [worst] = roles
    .filter(({ role, expires }) => expires - now < LIFETIMES[role].worryBelow)
    .toSorted((a, b) => a.expires - b.expires);
  if (worst === undefined) return undefined;
  const [when, days] = [new Date(worst.expires).toISOString(), Math.max(0, (worst.expires - now) / DAY).toFixed(1)];
  return worst.expires <= now
    ? `TUF ${worst.role} metadata expired at ${when}; clients refuse it`
    : `TUF ${worst.role} metadata expires in ${days} days, at ${when}, and was not renewed`;
}
