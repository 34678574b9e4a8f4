import { channel } from "node:diagnostics_channel";
import { basename, extname } from "node:path";
import { Worker } from "node:worker_threads";

/** What a thread is sent, and what is done about it where there is none. */
export interface BatchWork<T> {
  /**
   * A program of one thread that answers each packed batch with an octet for each of its parts: 1 where it holds, 0 where
   * it does not, and anything else where it could not tell.
   */
  readonly program: URL;
  pack(batch: readonly T[]): Uint8Array<ArrayBuffer>;
  /** The same question, answered here, where the thread could not tell or ended. */
  here(one: T): boolean;
}

/**
 * The diagnostics channel that hears of each thread that ended or could not be started: what it had is verified here, so that
 * nobody else would notice but by the time it takes.
 */
export const THREAD_ENDED = "chancery.crypto.thread-ended";

export interface ThreadEnded {
  /** The thread's program: `verify-messages`. */
  readonly program: string;
  readonly reason: string;
}

interface Waiting<T> {
  readonly one: T;
  readonly resolve: (holds: boolean | Promise<boolean>) => void;
}

/** One is worked on while the next is on its way: the thread need not wait for this one's turn. */
const UNDER_WAY = 2;
/** Some three milliseconds: who comes next does not wait for a thousand. */
const MOST_AT_ONCE = 32;

/** Of a program beside the module that asks, which is a source in tests and built elsewhere. */
export function programBeside(module: ImportMeta, name: string): URL {
  return new URL(`./${name}${extname(module.filename)}`, module.url);
}

/**
 * A thread that verifies, in batches: of what came in one turn of the event loop, or while the batches before were under
 * way. To wake a thread costs as much as half a verification (60 µs here), so one message wakes it for many.
 */
export class BatchThread<T> {
  readonly #work: BatchWork<T>;
  #queue: Waiting<T>[] = [];
  /** Answered in the order in which they were sent. */
  readonly #sent: (readonly Waiting<T>[])[] = [];
  #worker: Worker | undefined;
  #isScheduled = false;

  constructor(work: BatchWork<T>) {
    this.#work = work;
  }

  verify(one: T): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#queue.push({ one, resolve });
    this.#schedule();
    return promise;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#sent.length >= UNDER_WAY) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  #send(): void {
    const batch = this.#queue.splice(0, MOST_AT_ONCE);
    if (batch.length === 0) return;
    let packed: Uint8Array<ArrayBuffer> | undefined;
    try {
      packed = this.#work.pack(batch.map(({ one }) => one));
      const worker = (this.#worker ??= this.#start());
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
      worker.postMessage(packed, [packed.buffer]);
      // Nothing else keeps a program alive that waits for an answer.
      if (this.#sent.length === 0) worker.ref();
      this.#sent.push(batch);
    } catch (error) {
      // The system may have no thread or no memory to give. Thrown from here, that would be the end of the process.
      this.#verifyHere(batch);
      if (packed !== undefined) this.#report(error);
    }
    if (this.#queue.length > 0) this.#schedule();
  }

  #start(): Worker {
    const worker = new Worker(this.#work.program);
    worker.on("message", (answers: Uint8Array) => {
      // Answers are told apart by their order alone: one of a thread that was given up would be taken for another's.
      if (this.#worker !== worker) return;
      const batch = this.#sent.shift() ?? [];
      if (this.#sent.length === 0) worker.unref();
      for (const [at, { one, resolve }] of batch.entries()) resolve(this.#answer(answers[at], one));
      if (this.#queue.length > 0) this.#schedule();
    });
    for (const end of ["error", "messageerror", "exit"]) worker.on(end, (why) => this.#giveUp(worker, why));
    return worker;
  }

  /** A thread that ended, for want of memory most likely, owes answers. The next batch gets a new one. */
  #giveUp(worker: Worker, why: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    // One whose answer could not be read goes on otherwise.
    void worker.terminate();
    this.#verifyHere(this.#sent.splice(0).flat());
    this.#report(why);
    if (this.#queue.length > 0) this.#schedule();
  }

  #report(why: unknown): void {
    const { href } = this.#work.program;
    const reason = why instanceof Error ? why.message : `it ended with ${String(why)}`;
    channel(THREAD_ENDED).publish({ program: basename(href, extname(href)), reason } satisfies ThreadEnded);
  }

  #verifyHere(batch: readonly Waiting<T>[]): void {
    for (const { one, resolve } of batch) resolve(this.#here(one));
  }

  #answer(octet: number | undefined, one: T): boolean | Promise<boolean> {
    return octet === 1 || (octet !== 0 && this.#here(one));
  }

  async #here(one: T): Promise<boolean> {
    return this.#work.here(one);
  }
}
