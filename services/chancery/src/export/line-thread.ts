import { parentPort, workerData } from "node:worker_threads";
import { concatBytes } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { namedLog } from "@chancery/rekor";
import { linesOf } from "./entry-lines.ts";
import { searchOf } from "./filters.ts";
import type { ThreadAnswer, ThreadTask, UnnamedEntry } from "./line-makers.ts";

/** A thread that writes pages of entries as lines: asked with a page, it answers with bytes. */
const { log, treeId, filters, format } = workerData as ThreadTask;
const lines = { log: namedLog(log, BigInt(treeId)), search: searchOf(filters), format };

parentPort?.on("message", (entries: readonly UnnamedEntry[]) => {
  try {
    const { bytes, count, leafHashes } = linesOf(lines, entries);
    const answer: ThreadAnswer = { bytes, count, leafHashes: concatBytes(...leafHashes) };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
    parentPort?.postMessage(answer);
  } catch (error) {
    if (!(error instanceof RefusedToSign)) throw error;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the same
    parentPort?.postMessage({ refusal: error.message });
  }
});
