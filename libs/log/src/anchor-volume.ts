import { extname } from "node:path";
import { Unavailable } from "@chancery/fault";
import type { anchorFolder } from "./anchor-folder.ts";
import { CallThreads } from "./call-threads.ts";
import { within } from "./within.ts";

const RETRY_AFTER = 5;

/**
 * In the whole process. Each that a volume does not answer (a network file system whose server is gone) keeps one for as
 * long as that lasts; the second is for a log beside another.
 */
const THREADS = 2;

/** Beside this file, which is a source in tests and built elsewhere. */
const PROGRAM = new URL(`./anchor-calls${extname(import.meta.filename)}`, import.meta.url);

const threads = new CallThreads(PROGRAM, THREADS);

type Calls = typeof anchorFolder;

/**
 * One call on an anchor's folder, in its turn. A step of an anchor is three of them; as calls of Node's own pool it was 14
 * ways there and back, and one client alone took 1.2 times the CPU and waited 1.15 times as long for a certificate.
 */
export async function onVolume<Name extends keyof Calls>(
  name: Name,
  ...args: Parameters<Calls[Name]>
): Promise<ReturnType<Calls[Name]>> {
  return (await threads.call({ name, args })) as ReturnType<Calls[Name]>;
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
