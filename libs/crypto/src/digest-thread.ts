import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { P256 } from "./curve.ts";
import { MAX_SIGNATURE_BYTES, type SignedDigest, verifyEcdsaDigest } from "./ecdsa-digest.ts";
import { packDigests } from "./packed-digests.ts";

interface Waiting extends SignedDigest {
  readonly resolve: (valid: boolean | Promise<boolean>) => void;
}

/** One is verified while the next is on its way: the thread need not wait for this one's turn. */
const UNDER_WAY = 2;
/** Some three milliseconds: who comes next does not wait for a thousand. */
const MOST_AT_ONCE = 32;

/** Beside this file, which is a source in tests and built elsewhere. */
const PROGRAM = new URL(`./verify-digests${extname(import.meta.filename)}`, import.meta.url);

/**
 * A thread that verifies P-256 signatures over digests, in batches: of what came in one turn of the event loop, or while
 * the batches before were under way. To wake a thread costs as much as half a verification (60 µs here), so one message
 * wakes it for many, and many share their inversions.
 */
export class DigestThread {
  readonly #program: URL;
  #queue: Waiting[] = [];
  /** Answered in the order in which they were sent. */
  readonly #sent: (readonly Waiting[])[] = [];
  #worker: Worker | undefined;
  #isScheduled = false;

  constructor(program = PROGRAM) {
    this.#program = program;
  }

  verify(signed: SignedDigest): Promise<boolean> {
    if (signed.signature.length > MAX_SIGNATURE_BYTES) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#queue.push({ ...signed, resolve });
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
    const worker = (this.#worker ??= this.#start());
    // Nothing else keeps a program alive that waits for an answer.
    if (this.#sent.length === 0) worker.ref();
    this.#sent.push(batch);
    const packed = packDigests(batch);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
    worker.postMessage(packed, [packed.buffer]);
    if (this.#queue.length > 0) this.#schedule();
  }

  #start(): Worker {
    const worker = new Worker(this.#program);
    worker.on("message", (answers: Uint8Array) => {
      const batch = this.#sent.shift() ?? [];
      if (this.#sent.length === 0) worker.unref();
      for (const [at, { resolve }] of batch.entries()) resolve(answers[at] === 1);
      if (this.#queue.length > 0) this.#schedule();
    });
    worker.on("error", () => this.#verifyHere(worker));
    worker.on("exit", () => this.#verifyHere(worker));
    return worker;
  }

  /** A thread that ended, for want of memory most likely, owes answers. The next batch gets a new one. */
  #verifyHere(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const waiting of this.#sent.splice(0).flat()) waiting.resolve(verifyLater(waiting));
    if (this.#queue.length > 0) this.#schedule();
  }
}

async function verifyLater(signed: SignedDigest): Promise<boolean> {
  return verifyEcdsaDigest(P256, signed);
}
