import { Pushback } from "@chancery/fault";

/**
 * Bytes of request bodies that may be in memory at once.
 *
 * The limit on one body does not bound the sum: a thousand clients that each stay below it still
 * exhaust the heap. What is over the budget is refused before its first byte is read.
 */
export class BodyBudget {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes `bytes`; the returned function gives them back and may be called more than once. */
  take(bytes: number): () => void {
    if (this.#taken + bytes > this.#limit) {
      throw new Pushback("too many request bodies are being received", 1);
    }
    this.#taken += bytes;
    let held = bytes;
    return () => {
      this.#taken -= held;
      held = 0;
    };
  }

  get taken(): number {
    return this.#taken;
  }
}
