import { Malformed } from "@chancery/fault";
import type { SizeAt } from "@chancery/log";

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

/** As far as its growth is told. */
export interface GrowingTree {
  published(): Promise<{ readonly head: { readonly size: bigint }; readonly time: number }>;
  readonly lookup: { sizesAt(times: readonly number[], size: bigint): Promise<readonly SizeAt[]> };
}

/** How large a log, of all these trees, was at each full interval from `from` on, in UTC, and at `to`. */
export async function growth(
  trees: readonly GrowingTree[],
  { from, to, interval }: { readonly from: number; readonly to: number; readonly interval: Interval },
): Promise<GrowthPoint[]> {
  const times: number[] = [];
  for (let time = startOf(interval, from); time < to; time = next(interval, time)) {
    times.push(time);
    if (times.length >= MOST_POINTS)
      throw new Malformed(`interval: from \`from\` to \`to\` are more than ${MOST_POINTS}`);
  }
  times.push(to);
  const sizes = await Promise.all(trees.map((tree) => sizesAt(tree, times)));
  return times.map((time, at) => ({ time, size: sizes.reduce((sum, tree) => sum + (tree[at] ?? 0n), 0n) }));
}

/** What is later than the tree itself needs no look at its newest entries, which may be what is damaged. */
async function sizesAt(tree: GrowingTree, times: readonly number[]): Promise<bigint[]> {
  const { head, time } = await tree.published();
  const earlier = times.filter((at) => at <= time);
  const sizes = earlier.length === 0 ? [] : await tree.lookup.sizesAt(earlier, head.size);
  return times.map((_, at) => sizes[at]?.least ?? head.size);
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
