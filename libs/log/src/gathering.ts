/** Who writes alone, or with a few, waits for nobody. */
const MANY = 8;
/** Of so many a batch's own cost is little beside theirs. */
const ENOUGH = 48;
/** On a disk that is slow a batch costs time, and no CPU that could be saved. */
const LONGEST_MS = 14;

/** Milliseconds of one clock. */
export interface LastBatch {
  readonly entries: number;
  readonly began: number;
  readonly ended: number;
}

/**
 * How long the next batch waits for more entries (milliseconds; 0 or less: not at all): until the last one has been
 * over for twice the time that it took.
 *
 * A batch costs 4 ms of CPU whatever is in it (PostgreSQL, the anchor, two signatures), each entry 0.5 to 0.7. Where many
 * write at once and each batch begins as the one before ends, they fall into two groups by turns, each in every other
 * batch. Measured by turns with that: of 16, 32 and 64 that asked for certificates at a time a batch had 15, 21 and 37
 * for 8, 16 and 27, and a certificate took 0.78, 0.88 and 0.93 of the CPU, with as many a second.
 */
export function gatheringTime(last: LastBatch | undefined, waiting: number, now: number): number {
  if (last === undefined || last.entries < MANY || waiting >= ENOUGH) return 0;
  return last.ended + Math.min(2 * (last.ended - last.began), LONGEST_MS) - now;
}
