/** Some milliseconds of verifying: what a database's answer waits at most. */
const PER_TURN = 16;

/**
 * Spreads work over the turns of the event loop, in the order of asking.
 *
 * A thousand entries that arrive together would be verified together, in one turn, and no answer of the database is read
 * meanwhile: under ten times its load, on a crowded machine, PostgreSQL took a log that stayed silent in a transaction
 * for five seconds for stopped, and a batch was lost.
 */
export class Turns {
  readonly #perTurn: number;
  readonly #waiting: (() => void)[] = [];
  #room: number;
  #isScheduled = false;

  constructor(perTurn = PER_TURN) {
    this.#perTurn = perTurn;
    this.#room = perTurn;
  }

  /** At once while there is room in this turn. */
  async next(): Promise<void> {
    this.#schedule();
    if (this.#room > 0 && this.#waiting.length === 0) {
      this.#room--;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await promise;
  }

  /** Immediates run after what sockets have brought, and no more than once a turn. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const now = this.#waiting.splice(0, this.#perTurn);
      this.#room = this.#perTurn - now.length;
      for (const resume of now) resume();
      if (now.length > 0) this.#schedule();
    });
  }
}
