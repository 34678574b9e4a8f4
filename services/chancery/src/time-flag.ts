import { isOfCalendar } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time on a command line, in milliseconds since the epoch: an ISO date, or so long before now. */
export function parseTimeFlag(name: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = ""] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const time = count === undefined ? Date.parse(text) : now - Number(count) * (UNITS[unit] ?? 0);
  if ((/^\d{4}-\d\d-\d\d/.test(text) && isOfCalendar(text)) || count !== undefined) {
    if (!Number.isNaN(time)) return time;
  }
  throw new Misconfigured(`--${name}`, "is neither an ISO date (2026-09-01, 2026-09-01T12:00Z) nor like 30m, 24h, 7d");
}
