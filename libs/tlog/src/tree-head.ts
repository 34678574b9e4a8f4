/** What a log commits to: that its first `size` entries hash to `root`. Unsigned. */
export interface TreeHead {
  readonly size: bigint;
  readonly root: Uint8Array;
}

/** Sizes and timestamps travel as signed 64-bit integers in several of the formats, so this is the end of a log. */
export const MAX_TREE_SIZE = 2n ** 63n - 1n;
