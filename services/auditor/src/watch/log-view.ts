/** What is told of a log that is watched. */
export interface LogView {
  readonly log: string;
  readonly size: string | null;
  readonly verifiedSize: string;
  readonly root: string;
  readonly lastCheckpoint: string | null;
  readonly lagSeconds: number | null;
}
