import { Unavailable } from "@chancery/fault";
import { within } from "./within.ts";

/**
 * Calls of the file system for anchors that may be under way at once, in the whole process. Each that a volume does not
 * answer (a network file system whose server is gone) keeps one of Node's four threads for as long as that lasts; all
 * else that needs one, names of hosts, other files, signatures, is to find one.
 */
const CALLS = 2;
const RETRY_AFTER = 5;

let underWay = 0;
const waiting: (() => void)[] = [];

/** One call of the file system, in its turn. */
export async function onVolume<T>(call: () => Promise<T>): Promise<T> {
  if (underWay >= CALLS) await new Promise<void>((resolve) => waiting.push(resolve));
  else underWay++;
  try {
    return await call();
  } finally {
    const next = waiting.shift();
    if (next === undefined) underWay--;
    else next();
  }
}

/**
 * Work on a volume that may not answer: it is waited for so long and no longer, and goes on by itself. Until it has
 * ended, no other is begun.
 */
export class Patience {
  readonly #milliseconds: number;
  #overdue = 0;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  get isOver(): boolean {
    return this.#overdue > 0;
  }

  async with<T>(work: () => Promise<T>): Promise<T> {
    if (this.isOver) throw noAnswer();
    const answer = work();
    return await within(answer, this.#milliseconds, () => {
      this.#overdue++;
      const settled = () => this.#overdue--;
      answer.then(settled, settled);
      return noAnswer();
    });
  }
}

function noAnswer(): Unavailable {
  return new Unavailable("the anchor's volume does not answer", RETRY_AFTER);
}
