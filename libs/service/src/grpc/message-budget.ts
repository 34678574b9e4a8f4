/** What one call holds of the budget. */
export interface Share {
  /** Its message is there, and this large. */
  received(bytes: number): void;
  /** The call has ended. May be called more than once. */
  giveBack(): void;
}

/** Milliseconds that a message may take to come while others wait for its room. */
const PATIENCE = 1_000;

/**
 * Bytes of messages that may be in memory at once.
 *
 * How large a message is is known when it is there. Until then as much is held for it as it may become; who finds no
 * room waits unread, and HTTP/2's flow control with it: a burst of small messages takes turns of less than a
 * millisecond instead of being refused. A message that does not come gives way after a second: beside a service of
 * 4 MiB, 32 silent calls of one client would else stop all others.
 */
export class MessageBudget {
  readonly #limit: number;
  readonly #largest: number;
  #taken = 0;
  /** In the order they came. */
  readonly #waiting = new Set<() => void>();
  /** How to end each call whose message may come now and has not, and since when it may; the longest first. */
  readonly #silent = new Map<() => void, number>();
  #isHurrying = false;

  constructor(limit: number, largest: number) {
    this.#limit = limit;
    this.#largest = largest;
  }

  /**
   * `begin` is called once there is room, perhaps at once; never after `giveBack`. `giveWay` is called if others need
   * the room of a message that does not come; it MUST give back.
   */
  share(begin: () => void, giveWay: () => void): Share {
    let held = 0;
    const hold = (bytes: number) => {
      this.#taken += bytes - held;
      held = bytes;
      if (bytes < this.#largest) this.#admit();
    };
    const admitted = () => {
      this.#silent.set(giveWay, performance.now());
      hold(this.#largest);
      begin();
    };
    this.#waiting.add(admitted);
    this.#admit();
    return {
      received: (bytes) => {
        this.#silent.delete(giveWay);
        hold(bytes);
      },
      giveBack: () => {
        this.#silent.delete(giveWay);
        this.#waiting.delete(admitted);
        hold(0);
      },
    };
  }

  #admit(): void {
    for (const next of this.#waiting) {
      if (this.#taken + this.#largest > this.#limit) return this.#hurry();
      this.#waiting.delete(next);
      next();
    }
  }
  /** Looks after the silent for as long as anyone waits. */
  #hurry(): void {
    if (this.#isHurrying) return;
    this.#isHurrying = true;
    setTimeout(() => {
      this.#isHurrying = false;
      const before = performance.now() - PATIENCE;
      for (const [giveWay, since] of this.#silent) if (since <= before && this.#waiting.size > 0) giveWay();
      if (this.#waiting.size > 0) this.#hurry();
    }, PATIENCE / 4).unref();
  }
}
