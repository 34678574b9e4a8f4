/** Called often; whoever shows it chooses when. `step` is what is being read, `done` of `total` its entries. */
export type Progress = (step: string, done: bigint, total: bigint) => void;

/** What was read and found to be whole. */
export interface CleanLog {
  readonly size: bigint;
  readonly root: Uint8Array;
  /** What the checks covered, for people. */
  readonly checked: readonly string[];
  /** What they did not, and where it is. */
  readonly unchecked: readonly string[];
  /** What is no difference, and should be known. */
  readonly notes: readonly string[];
}
