export interface SharedQueryLimits {
  /** Queries under way at a time. While one is being answered, the next is on its way. */
  readonly underWay: number;
  /** What one query asks for at most: its answers are held in memory together. */
  readonly largest: number;
}

const LIMITS: SharedQueryLimits = { underWay: 2, largest: 32 };
/** For answers of which one fills the memory that 32 others do. */
export const ONE_AT_A_TIME: SharedQueryLimits = { underWay: 1, largest: 1 };

interface Asked<Key, Answer> {
  readonly key: Key;
  readonly answer: PromiseWithResolvers<Answer>;
}

/**
 * One query for many callers, as a batch is one commit for many: what is asked for while others are being answered
 * goes together next. There is no timer, so who is alone waits for nobody.
 */
export class SharedQuery<Key, Answer> {
  readonly #query: (keys: readonly Key[]) => Promise<readonly Answer[]>;
  readonly #limits: SharedQueryLimits;
  #waiting: Asked<Key, Answer>[] = [];
  #underWay = 0;

  /** `query` answers in the order it was asked. */
  constructor(query: (keys: readonly Key[]) => Promise<readonly Answer[]>, limits = LIMITS) {
    this.#query = query;
    this.#limits = limits;
  }

  ask(key: Key): Promise<Answer> {
    const answer = Promise.withResolvers<Answer>();
    this.#waiting.push({ key, answer });
    if (this.#underWay < this.#limits.underWay) void this.#run();
    return answer.promise;
  }

  async #run(): Promise<void> {
    this.#underWay++;
    await restOfTurn();
    while (this.#waiting.length > 0) {
      await this.#answer(this.#waiting.splice(0, this.#limits.largest));
      // Who was just answered may ask on.
      await restOfTurn();
    }
    this.#underWay--;
  }

  async #answer(asked: readonly Asked<Key, Answer>[]): Promise<void> {
    try {
      const answers = await this.#query(asked.map(({ key }) => key));
      if (answers.length !== asked.length) throw new Error("a query answered other than it was asked");
      for (const [at, answer] of answers.entries()) asked[at]?.answer.resolve(answer);
    } catch (error) {
      for (const { answer } of asked) answer.reject(error);
    }
  }
}

/** What is asked for in the same turn goes together: an entry is asked for some steps before its proof's tiles are. */
function restOfTurn(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}
