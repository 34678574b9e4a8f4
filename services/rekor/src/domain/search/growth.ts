import { Malformed } from "@chancery/fault";
import type { TransparencyLog } from "@chancery/log";

export const INTERVALS = ["hour", "day", "week", "month"] as const;
export type Interval = (typeof INTERVALS)[number];

export interface GrowthPoint {
  readonly time: number;
  /** Entries that are older. */
  readonly size: bigint;
}

const HOUR = 3_600_000;
const STEPS: Readonly<Record<Exclude<Interval, "month">, number>> = { hour: HOUR, day: 24 * HOUR, week: 168 * HOUR };
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY = 96 * HOUR;
const MOST_POINTS = 1_000;
const LATEST = Date.UTC(9999, 0);

/** How large a log, of all these trees, was at each full interval from `from` on, in UTC, and at `to`. */
export async function growth(
  trees: readonly TransparencyLog[],
  { from, to, interval }: { readonly from: number; readonly to: number; readonly interval: Interval },
): Promise<GrowthPoint[]> {
  const times: number[] = [];
  for (let time = startOf(interval, from); time < to; time = next(interval, time)) {
    times.push(time);
    if (times.length >= MOST_POINTS)
      throw new Malformed(`interval: from \`from\` to \`to\` are more than ${MOST_POINTS}`);
  }
  times.push(to);
  const sizes = await Promise.all(
    trees.map(async (log) => log.lookup.sizesAt(times, (await log.published()).head.size)),
  );
  return times.map((time, at) => ({ time, size: sizes.reduce((sum, tree) => sum + (tree[at] ?? 0n), 0n) }));
}

/** Thirty days, weeks or months, or two days of hours, before `to`. */
export function defaultFrom(interval: Interval, to: number): number {
  const back = interval === "hour" ? 48 * HOUR : interval === "month" ? 900 * 24 * HOUR : 30 * STEPS[interval];
  return Math.max(0, to - back);
}

function startOf(interval: Interval, time: number): number {
  const at = Math.min(time, LATEST);
  if (interval === "month") return Date.UTC(new Date(at).getUTCFullYear(), new Date(at).getUTCMonth());
  const origin = interval === "week" ? FIRST_MONDAY - STEPS.week : 0;
  return Math.max(0, at - ((at - origin) % STEPS[interval]));
}

function next(interval: Interval, time: number): number {
  if (interval !== "month") return time + STEPS[interval];
  return Date.UTC(new Date(time).getUTCFullYear(), new Date(time).getUTCMonth() + 1);
}
