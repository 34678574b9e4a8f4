import { Unauthenticated, Unavailable } from "@chancery/fault";

/** Sign-ins being finished at once, each a request to the provider with our secret. */
const MOST_AT_ONCE = 16;
/** States that are remembered; some 4 MB. Whoever began so many in ten minutes may repeat the oldest. */
const MOST_STATES = 16_384;

/** Whoever began a sign-in can send its answer again and again: it is taken once, and so many are taken at a time. */
export class SignInLimit {
  readonly #life: number;
  readonly #clock: () => number;
  /** Until when, oldest first. */
  readonly #taken = new Map<string, number>();
  #underWay = 0;

  /** `life` in milliseconds: a state that is older is nobody's any more. */
  constructor(life: number, clock: () => number) {
    this.#life = life;
    this.#clock = clock;
  }

  /** Unauthenticated if the state was taken before; Unavailable, and the state is not taken, where there is no room. */
  async finish<T>(state: string, work: () => Promise<T>): Promise<T> {
    if (this.#taken.has(state)) throw new Unauthenticated("this sign-in was finished before");
    if (this.#underWay >= MOST_AT_ONCE) throw new Unavailable("too many are signing in at this moment", 2);
    this.#take(state);
    this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
    }
  }

  #take(state: string): void {
    const now = this.#clock();
    for (const [oldest, until] of this.#taken) {
      if (until > now && this.#taken.size < MOST_STATES) break;
      this.#taken.delete(oldest);
    }
    this.#taken.set(state, now + this.#life);
  }
}
