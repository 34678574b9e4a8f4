import { parentPort } from "node:worker_threads";
import { anchorFolder } from "./anchor-folder.ts";
import type { CallAnswer, ThreadCall } from "./call-threads.ts";

/* The program of a thread that waits for an anchor's volume: one call after the other, each answered. */

const calls: Readonly<Record<string, (...args: never[]) => unknown>> = anchorFolder;

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
parentPort?.on("message", (call: ThreadCall) => parentPort?.postMessage(answer(call)));

function answer({ name, args }: ThreadCall): CallAnswer {
  try {
    const call = calls[name] as ((...args: readonly unknown[]) => unknown) | undefined;
    if (call === undefined) throw new Error(`${name} is no call`);
    return { value: call(...args) };
  } catch (error) {
    // What is sent from thread to thread keeps an error's message and loses its code.
    const { message, code } = error as NodeJS.ErrnoException;
    return { failure: { message, code } };
  }
}
