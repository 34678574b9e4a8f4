import { Pushback } from "@chancery/fault";

/** An answer is everybody's for so long. */
const SHARED_MS = 10_000;
/** Of different questions; each question's answer is some 20 kB. */
const MOST_KEPT = 16;
const MOST_WAITING = 8;

interface Shared<Answer> {
  readonly since: number;
  readonly answer: Promise<Answer>;
}

/**
 * Answers that cost much and that anyone may ask for: whoever asks the same within ten seconds gets the same answer, and
 * of different questions one is answered at a time, so that no stranger keeps more than one backend of the database busy.
 */
export class SharedAnswers<Answer> {
  readonly #now: () => number;
  readonly #kept = new Map<string, Shared<Answer>>();
  #lane: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Milliseconds of a clock that nobody sets. */
  constructor(now: () => number) {
    this.#now = now;
  }

  async ask(question: string, answer: () => Promise<Answer>): Promise<Answer> {
    const shared = this.#kept.get(question);
    if (shared !== undefined && this.#now() - shared.since < SHARED_MS) return await shared.answer;
    if (this.#waiting >= MOST_WAITING) throw new Pushback("too many summaries are being counted", 2);
    const made = { since: this.#now(), answer: this.#inLane(answer) };
    this.#keep(question, made);
    try {
      return await made.answer;
    } catch (error) {
      // What failed is asked anew.
      if (this.#kept.get(question) === made) this.#kept.delete(question);
      throw error;
    }
  }

  #inLane(answer: () => Promise<Answer>): Promise<Answer> {
    this.#waiting += 1;
    const made = this.#lane.then(answer).finally(() => (this.#waiting -= 1));
    this.#lane = made.catch(() => {});
    return made;
  }

  #keep(question: string, made: Shared<Answer>): void {
    this.#kept.delete(question);
    this.#kept.set(question, made);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}
