import { Pushback } from "@chancery/fault";

/**
 * Bounds how much work is under way. What is offered beyond that is pushed back at once, for a client that is told to
 * come again in a second is better off than one that waits in a queue until it gives up, and is worked for all the same.
 */
export class Admission {
  readonly #limit: number;
  #underWay = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws Pushback if there is no room now. */
  assertRoom(): void {
    if (this.#underWay >= this.#limit) throw new Pushback(`${this.#limit} certificates are being issued`, 1);
  }

  async admit<T>(work: () => Promise<T>): Promise<T> {
    this.assertRoom();
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }
}
