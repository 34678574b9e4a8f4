import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { PassingMap } from "@chancery/encoding";
import { Unavailable } from "@chancery/fault";
import type { NewEntry } from "@chancery/log";
import type { Intake, ProposalPolicy } from "../domain/judge-proposal.ts";
import { PackedWriter } from "./packed-bytes.ts";
import { type Api, packProposal, type PolicyMessage, type ThreadQuestion, unpackAnswers } from "./thread-messages.ts";

interface Waiting extends PromiseWithResolvers<NewEntry> {
  readonly policy: number;
  readonly body: Uint8Array;
}

/** What the thread has at once: while it answers the one half, the other is on its way. */
const MOST_UNDER_WAY = 64;
/** Some six milliseconds: who comes next does not wait for a thousand. */
const MOST_AT_ONCE = 32;
/** One body alone may be of any size that its route lets through. */
const MOST_BYTES_UNDER_WAY = 1024 * 1024;

/** Beside this file, which is a source in tests and built elsewhere. */
const PROGRAM = new URL(`./read-proposals${extname(import.meta.filename)}`, import.meta.url);

/**
 * A thread that reads proposals, verifies them and describes what is to be logged, for all logs of the process: the main
 * thread hands it the body as it came, and gets the leaf, the form in which that is stored, and what it is found by. So
 * what is garbage after it stays on the thread's own heap, where nothing lives that a collection would have to copy.
 *
 * To wake a thread costs as much as half a verification: one message wakes it for many, what came in one turn of the
 * event loop or while it had enough to do.
 */
export class ProposalThread {
  readonly #program: URL;
  readonly #policies: PolicyMessage[] = [];
  readonly #writer = new PackedWriter();
  #queue: Waiting[] = [];
  readonly #underWay = new PassingMap<number, Waiting>();
  #bytesUnderWay = 0;
  #sent = 0;
  #worker: Worker | undefined;
  #isScheduled = false;

  constructor(program = PROGRAM) {
    this.#program = program;
  }

  /** For one log. */
  intake(api: Api, policy: ProposalPolicy): Intake {
    const message = { id: this.#policies.length, api, policy };
    this.#policies.push(message);
    if (this.#worker !== undefined) post(this.#worker, message);
    return (body) => this.#judge(message.id, body);
  }

  /** Before the first proposal, which would wait half a second for it. */
  start(): void {
    if (this.#worker !== undefined) return;
    this.#worker = this.#start();
    this.#worker.unref();
  }

  #judge(policy: number, body: Uint8Array): Promise<NewEntry> {
    const waiting = { ...Promise.withResolvers<NewEntry>(), policy, body };
    this.#queue.push(waiting);
    this.#schedule();
    return waiting.promise;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#queue.length === 0 || !this.#hasRoom()) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  #hasRoom(): boolean {
    return this.#underWay.size < MOST_UNDER_WAY && this.#bytesUnderWay < MOST_BYTES_UNDER_WAY;
  }

  #send(): void {
    let worker: Worker;
    try {
      worker = this.#worker ??= this.#start();
    } catch (cause) {
      // The system may have no thread to give. Thrown from here, that would be the end of the process.
      return refuse(this.#queue.splice(0), cause);
    }
    // Nothing else keeps a program alive that waits for an answer.
    if (this.#underWay.size === 0) worker.ref();
    let taken = 0;
    for (const waiting of this.#queue) {
      if (taken === MOST_AT_ONCE || !this.#hasRoom()) break;
      const number = this.#sent++ % 2 ** 32;
      this.#underWay.set(number, waiting);
      this.#bytesUnderWay += waiting.body.length;
      packProposal(this.#writer, { number, policy: waiting.policy, body: waiting.body });
      taken++;
    }
    this.#queue = this.#queue.slice(taken);
    const packed = this.#writer.take();
    post(worker, packed, [packed.buffer]);
    this.#schedule();
  }

  #start(): Worker {
    const worker = new Worker(this.#program);
    for (const policy of this.#policies) post(worker, policy);
    worker.on("message", (packed: Uint8Array) => this.#answered(worker, packed));
    for (const end of ["error", "messageerror"]) worker.on(end, (cause: unknown) => this.#ended(worker, cause));
    worker.on("exit", () => this.#ended(worker));
    return worker;
  }

  #answered(worker: Worker, packed: Uint8Array): void {
    for (const { number, outcome } of unpackAnswers(packed)) {
      const waiting = this.#underWay.get(number);
      if (waiting === undefined) continue;
      this.#underWay.delete(number);
      this.#bytesUnderWay -= waiting.body.length;
      if (outcome instanceof Error) waiting.reject(outcome);
      else waiting.resolve(outcome);
    }
    if (this.#underWay.size === 0) worker.unref();
    this.#schedule();
  }

  /**
   * It owes answers, for want of memory most likely. Who waits for them is told to ask again; what comes next gets a new
   * thread. To do the work here instead would take the whole process with it, if it was one of them that ended the thread.
   */
  #ended(worker: Worker, cause?: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    // One whose answer could not be read goes on otherwise.
    void worker.terminate();
    const owed = [...this.#underWay.values()];
    this.#underWay.clear();
    this.#bytesUnderWay = 0;
    refuse(owed, cause);
    this.#schedule();
  }
}

function refuse(owed: readonly Waiting[], cause: unknown): void {
  const reason = new Unavailable("the proposal could not be verified: ask again", 1, { cause });
  for (const waiting of owed) waiting.reject(reason);
}

/** One for all logs of the process: they share its memory and its compiled code. */
export const proposalThread = new ProposalThread();

function post(worker: Worker, message: ThreadQuestion, transferred: readonly ArrayBuffer[] = []): void {
  worker.postMessage(message, transferred);
}
