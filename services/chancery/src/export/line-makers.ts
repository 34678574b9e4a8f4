import { once } from "node:events";
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { RefusedToSign, Unavailable } from "@chancery/fault";
import type { LoggedEntry, LogReader } from "@chancery/log";
import { NAMED_V2, type NamedLog, namedShard } from "@chancery/rekor/search";
import { HASH_SIZE } from "@chancery/tlog";
import type { LogName } from "../log-names.ts";
import type { Begun } from "./begun.ts";
import { type EntryLines, linesOf } from "./entry-lines.ts";
import { readPage } from "./entry-page.ts";

/** Its identity is its leaf hash, which the lines are made with. */
export type UnnamedEntry = Omit<LoggedEntry, "identity">;

/** Lines of a page of entries, in UTF-8, and the leaf hashes of all of the page's entries. */
export interface MadeLines {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly count: number;
  readonly leafHashes: readonly Uint8Array[];
}

/** Reads pages of entries and writes them as lines; some at a time, where it has threads. */
export interface LineMaker extends AsyncDisposable {
  readonly threads: number;
  make(start: bigint, count: number): Promise<MadeLines>;
}

/** Below, the half second in which a thread starts is longer than the work. */
const WORTH_THREADS = 20_000n;
const MOST_THREADS = 8;
const RETRY_SECONDS = 2;

/** Reading a certificate takes most of an export's time: threads for as many cores as there are, where it is worth it. */
export function threadsFor(entries: bigint): number {
  return entries < WORTH_THREADS ? 0 : Math.min(availableParallelism(), MOST_THREADS);
}

export function inThisThread(lines: EntryLines, reader: Pick<LogReader, "entries">): LineMaker {
  return {
    threads: 0,
    make: (start, count) => linesOf(lines, readPage(reader, start, count)),
    [Symbol.asyncDispose]: async () => {},
  };
}

interface NamedShard {
  readonly treeId: bigint;
  readonly first: bigint;
}

/** How the API names the entries of a shard of v1, or of the v2 log. */
export function nameEntries(shard: NamedShard | undefined): NamedLog {
  return shard === undefined ? NAMED_V2 : namedShard(shard.treeId, shard.first);
}

/** What a thread needs to write the same lines. */
export interface ThreadTask {
  readonly log: LogName;
  /** Undefined of the v2 log. */
  readonly shard: NamedShard | undefined;
  readonly filters: Begun["filters"];
  readonly format: Begun["format"];
  readonly databaseUrl: string;
}

export interface ThreadQuestion {
  readonly start: bigint;
  readonly count: number;
}

export interface ThreadAnswer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly count: number;
  readonly leafHashes: Uint8Array;
}

/** A fault's class does not cross between threads. */
export interface ThreadFailure {
  readonly failure: "refused" | "unavailable";
  readonly message: string;
}

interface Thread {
  readonly worker: Worker;
  /** Answers come in the order of the questions. */
  readonly waiting: PromiseWithResolvers<MadeLines>[];
}

export function inThreads(task: ThreadTask, number: number): LineMaker {
  const threads = Array.from({ length: number }, () => startThread(task));
  let next = 0;
  return {
    threads: number,
    make: (start, count) => {
      const thread = threads[next++ % threads.length];
      if (thread === undefined) throw new TypeError("there is no thread");
      const made = Promise.withResolvers<MadeLines>();
      thread.waiting.push(made);
      const question: ThreadQuestion = { start, count };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
      thread.worker.postMessage(question);
      return made.promise;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

function startThread(task: ThreadTask): Thread {
  // Beside this file, which is a source in tests and built elsewhere.
  const program = new URL(`./line-thread${extname(import.meta.filename)}`, import.meta.url);
  const thread: Thread = { worker: new Worker(program, { workerData: task }), waiting: [] };
  thread.worker.on("message", (answer: ThreadAnswer | ThreadFailure) => {
    const made = thread.waiting.shift();
    if ("failure" in answer) made?.reject(faultOf(answer));
    else made?.resolve({ ...answer, leafHashes: hashesIn(answer.leafHashes) });
  });
  const fail = (error: unknown) => {
    for (const made of thread.waiting.splice(0)) made.reject(error);
  };
  thread.worker.on("error", fail);
  void once(thread.worker, "exit").then(() => fail(new Error("a thread of the export ended")), fail);
  return thread;
}

function faultOf({ failure, message }: ThreadFailure): Error {
  return failure === "refused" ? new RefusedToSign(message) : new Unavailable(message, RETRY_SECONDS);
}

function hashesIn(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / HASH_SIZE }, (_, at) =>
    bytes.subarray(at * HASH_SIZE, (at + 1) * HASH_SIZE),
  );
}
