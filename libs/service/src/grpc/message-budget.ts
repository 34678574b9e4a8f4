/** What one call holds of the budget. */
export interface Share {
  /** Its message is there, and this large. */
  received(bytes: number): void;
  /** The call has ended. May be called more than once. */
  giveBack(): void;
}

/**
 * Bytes of messages that may be in memory at once.
 *
 * How large a message is is known when it is there. Until then as much is held for it as it may become; who finds no
 * room waits unread, and HTTP/2's flow control with it: a burst of small messages takes turns of less than a
 * millisecond instead of being refused.
 */
export class MessageBudget {
  readonly #limit: number;
  readonly #largest: number;
  #taken = 0;
  /** In the order they came. */
  readonly #waiting = new Set<() => void>();

  constructor(limit: number, largest: number) {
    this.#limit = limit;
    this.#largest = largest;
  }

  /** `begin` is called once there is room, perhaps at once; never after `giveBack`. */
  share(begin: () => void): Share {
    let held = 0;
    const hold = (bytes: number) => {
      this.#taken += bytes - held;
      held = bytes;
      if (bytes < this.#largest) this.#admit();
    };
    const admitted = () => {
      hold(this.#largest);
      begin();
    };
    this.#waiting.add(admitted);
    this.#admit();
    return {
      received: hold,
      giveBack: () => {
        this.#waiting.delete(admitted);
        hold(0);
      },
    };
  }

  #admit(): void {
    for (const next of this.#waiting) {
      if (this.#taken + this.#largest > this.#limit) return;
      this.#waiting.delete(next);
      next();
    }
  }
}
