/**
 * The durable steps of an append, in their order. Between any two of them a crash must be harmless.
 *
 * locked: nothing written · stored: written, not committed · committed: in the tree, unsigned · anchored:
 * the anchor allows the signature · signed: the signature exists, nobody has it · published: readers see it
 */
export type Step = "locked" | "stored" | "committed" | "anchored" | "signed" | "published";

/** Called after each step; tests throw, wait or kill the process in it. */
export type Failpoint = (step: Step) => void | Promise<void>;

export const noFailpoint: Failpoint = () => {};
