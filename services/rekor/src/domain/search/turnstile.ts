import { Pushback } from "@chancery/fault";

/** Lets so many in at once, has so many more wait their turn, and sends the others away: what costs much, anyone may ask. */
export class Turnstile {
  readonly #waiting: (() => void)[] = [];
  readonly #most: number;
  readonly #mostWaiting: number;
  #inside = 0;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#most) await this.#wait();
    else this.#inside++;
    try {
      return await work();
    } finally {
      // Whoever waits longest takes the place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    }
  }

  #wait(): Promise<void> {
    if (this.#waiting.length >= this.#mostWaiting) throw new Pushback("search: too many at once, try again", 1);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
