import { Worker } from "node:worker_threads";

/** To a thread. */
export interface ThreadCall {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** From it. */
export type CallAnswer =
  | { readonly value: unknown }
  | { readonly failure: { readonly message: string; readonly code: string | undefined } };

interface Owed extends PromiseWithResolvers<unknown> {
  readonly call: ThreadCall;
}

/**
 * Threads for calls that wait, one at a time in each, in the order they came. A call that never returns keeps its thread
 * and nothing else: not the main thread, and none of the four that Node has for files, names of hosts and keys.
 */
export class CallThreads {
  readonly #program: URL;
  readonly #most: number;
  readonly #threads = new Set<Worker>();
  readonly #idle: Worker[] = [];
  readonly #underWay = new Map<Worker, Owed>();
  readonly #waiting: Owed[] = [];

  constructor(program: URL, most: number) {
    this.#program = program;
    this.#most = most;
  }

  call(call: ThreadCall): Promise<unknown> {
    const owed = { ...Promise.withResolvers<unknown>(), call };
    this.#waiting.push(owed);
    this.#next();
    return owed.promise;
  }

  #next(): void {
    for (let owed = this.#waiting[0]; owed !== undefined; owed = this.#waiting[0]) {
      let worker: Worker | undefined;
      try {
        worker = this.#idle.pop() ?? (this.#threads.size < this.#most ? this.#start() : undefined);
      } catch (cause) {
        // The system may have no thread to give, and no event would come for those behind this one.
        this.#waiting.shift();
        owed.reject(cause);
        continue;
      }
      if (worker === undefined) return;
      this.#waiting.shift();
      this.#send(worker, owed);
    }
  }

  #send(worker: Worker, owed: Owed): void {
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
      worker.postMessage(owed.call);
    } catch (cause) {
      this.#idle.push(worker);
      owed.reject(cause);
      return;
    }
    this.#underWay.set(worker, owed);
    // Nothing else keeps a program alive that waits for an answer.
    worker.ref();
  }

  #start(): Worker {
    const worker = new Worker(this.#program);
    this.#threads.add(worker);
    worker.unref();
    worker.on("message", (answer: CallAnswer) => this.#answered(worker, answer));
    for (const end of ["error", "messageerror", "exit"]) worker.on(end, (cause: unknown) => this.#ended(worker, cause));
    return worker;
  }

  #answered(worker: Worker, answer: CallAnswer): void {
    // Of one that was given up a late answer is nobody's.
    if (!this.#threads.has(worker)) return;
    const owed = this.#underWay.get(worker);
    this.#underWay.delete(worker);
    this.#idle.push(worker);
    worker.unref();
    if (owed !== undefined) settle(owed, answer);
    this.#next();
  }

  /** Whether its call was done is not known, as of one that failed half-way. What comes next gets a new thread. */
  #ended(worker: Worker, cause: unknown): void {
    if (!this.#threads.delete(worker)) return;
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
    // One whose answer could not be read goes on otherwise.
    void worker.terminate();
    this.#underWay.get(worker)?.reject(new Error("the thread ended before it answered", { cause }));
    this.#underWay.delete(worker);
    this.#next();
  }
}

function settle(owed: Owed, answer: CallAnswer): void {
  if ("value" in answer) return owed.resolve(answer.value);
  const { message, code } = answer.failure;
  owed.reject(Object.assign(new Error(message), code === undefined ? {} : { code }));
}
