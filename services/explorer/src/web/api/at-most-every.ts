/** One question, asked no more often than this, however many ask it: the others get the answer that is there. */
export class AtMostEvery<T> {
  readonly #interval: number;
  readonly #question: () => Promise<T>;
  readonly #clock: () => number;
  #asked: { readonly at: number; readonly answer: Promise<T> } | undefined;

  constructor(interval: number, question: () => Promise<T>, clock: () => number) {
    this.#interval = interval;
    this.#question = question;
    this.#clock = clock;
  }

  ask(): Promise<T> {
    const now = this.#clock();
    if (this.#asked === undefined || now - this.#asked.at >= this.#interval) {
      this.#asked = { at: now, answer: this.#question() };
    }
    return this.#asked.answer;
  }
}
