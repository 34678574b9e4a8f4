/**
 * The durable steps of an append, in their order. Between any two of them a crash must be harmless.
 *
 * locked: nothing written · stored: written, not committed · committed: in the tree, unsigned · anchored:
 * the anchor allows the signature · signed: the signature exists, nobody has it · published: readers see it
 */
export type Step = "locked" | "stored" | "committed" | "anchored" | "signed" | "published";

/**
 * Within `anchored`, of an anchor in files. anchor-written: a durable file without a number, so of no force · anchor-linked:
 * it has its number, and the folder that says so is not forced to disk
 */
export type AnchorStep = "anchor-written" | "anchor-linked";

/**
 * Those of freezing, in their order. frozen: the database says so, and what was committed before may be unsigned ·
 * frozen-anchored: the last tree is published, the anchor says that it is the last, and nobody was told
 */
export type FreezeStep = "frozen" | "frozen-anchored";

/** Called after each step; tests throw, wait or kill the process in it. */
export type Failpoint = (step: Step | AnchorStep | FreezeStep) => void | Promise<void>;

export const noFailpoint: Failpoint = () => {};
