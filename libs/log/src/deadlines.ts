import { PassingMap } from "@chancery/encoding";

interface Waiting {
  readonly until: number;
  readonly reject: (reason: unknown) => void;
}

/**
 * What is to be answered within one and the same time, by one timer for all: who came first is late first. A timer for
 * each took 0.8 µs of an entry, and was kept for it as long as its batch took.
 */
export class Deadlines {
  readonly #milliseconds: number;
  readonly #late: () => Error;
  /** In the order they came. */
  readonly #waiting = new PassingMap<Waiting, Waiting>();
  /** Runs while any wait, and keeps the process for them. */
  #timer: NodeJS.Timeout | undefined;

  constructor(milliseconds: number, late: () => Error) {
    this.#milliseconds = milliseconds;
    this.#late = late;
  }

  /** What comes of `answer`, or what `late` makes where that takes longer. */
  within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = { until: performance.now() + this.#milliseconds, reject };
      this.#waiting.set(waiting, waiting);
      this.#timer ??= this.#start(this.#milliseconds);
      answer.then(
        (value) => {
          this.#end(waiting);
          resolve(value);
        },
        (reason: unknown) => {
          this.#end(waiting);
          reject(reason);
        },
      );
    });
  }

  #end(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#refuseLate(), milliseconds);
  }

  #refuseLate(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const waiting of this.#waiting.values()) {
      if (waiting.until > now) {
        // Timers count whole milliseconds.
        this.#timer = this.#start(Math.ceil(waiting.until - now));
        return;
      }
      this.#waiting.delete(waiting);
      waiting.reject(this.#late());
    }
  }
}
