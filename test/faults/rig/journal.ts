/** A tree head someone was shown or someone signed. Root in hex. */
export interface Head {
  readonly size: bigint;
  readonly root: string;
  readonly time: number;
}

export interface Acknowledged {
  readonly name: string;
  readonly index: bigint;
  /** In hex. */
  readonly leafHash: string;
  readonly duplicate: boolean;
  readonly head: Head;
}

/**
 * All that was told to the outside, kept where no fault of the test can reach it. It belongs to a log, not to a
 * process: many processes, one after the other or at once, are held to it.
 */
export class Journal {
  readonly acknowledged: Acknowledged[];
  /** Every signature ever made, in order. */
  readonly signed: Head[];
  /** Answers that no fault excuses: neither "ask again" nor a refusal. */
  readonly unexpected: string[] = [];
  readonly refusals: string[] = [];
  readonly #unanswered = new Set<string>();

  /** Of a copy of a log: what was told of the log before the copy was made. */
  constructor(before?: Journal) {
    this.acknowledged = [...(before?.acknowledged ?? [])];
    this.signed = [...(before?.signed ?? [])];
  }

  /** Names that were asked for and not answered: each may be logged, once, or not. */
  get unanswered(): string[] {
    return [...this.#unanswered];
  }

  asked(name: string): void {
    this.#unanswered.add(name);
  }

  answered(answer: Acknowledged): void {
    this.#unanswered.delete(answer.name);
    this.acknowledged.push(answer);
  }
}
