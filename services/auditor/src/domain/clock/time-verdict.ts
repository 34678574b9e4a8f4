import type { ClockReading } from "./sntp.ts";

export interface NamedReading extends ClockReading {
  readonly name: string;
}

export type TimeVerdict =
  | { readonly kind: "agrees"; readonly what: string }
  /** This machine's clock is wrong. */
  | { readonly kind: "off"; readonly what: string }
  /** One of the servers is, or nobody can tell. */
  | { readonly kind: "in doubt"; readonly what: string };

/** As far as a clock may be from a reference. */
const MOST_MS = 1_000;

/**
 * Who is wrong: this clock, if most of those that were asked say so; else those that say so. A reading says so only if no
 * delay on the way could explain it.
 */
export function judgeTime(readings: readonly NamedReading[]): TimeVerdict {
  const off = readings.filter(({ offsetMs, doubtMs }) => Math.abs(offsetMs) - doubtMs > MOST_MS);
  const told = off.map(({ name, offsetMs }) => `${name} by ${(-offsetMs / 1_000).toFixed(1)} s`).join(", ");
  if (off.length === 0) {
    const farthest = Math.max(0, ...readings.map(({ offsetMs }) => Math.abs(offsetMs)));
    const what = `${readings.length} time servers and this clock agree within ${(farthest / 1_000).toFixed(3)} s`;
    return { kind: "agrees", what };
  }
  if (off.length * 2 > readings.length) {
    return {
      kind: "off",
      what: `this machine's clock is ahead of ${off.length} of ${readings.length} time servers: ${told}`,
    };
  }
  return {
    kind: "in doubt",
    what: `time servers do not agree: this machine's clock is ahead of ${told}; of the ${readings.length - off.length} others it is not`,
  };
}
