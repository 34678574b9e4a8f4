import { parentPort, workerData } from "node:worker_threads";
import { concatBytes } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { namedLog } from "@chancery/rekor";
import { linesOf } from "./entry-lines.ts";
import { searchOf } from "./filters.ts";
import type { ThreadAnswer, ThreadTask } from "./line-makers.ts";
import { type PackedEntries, unpackEntries } from "./packed-entries.ts";

/** A thread that writes pages of entries as lines: asked with a page, it answers with bytes. */
const { log, treeId, filters, format } = workerData as ThreadTask;
const lines = { log: namedLog(log, BigInt(treeId)), search: searchOf(filters), format };

parentPort?.on("message", (entries: PackedEntries) => {
  try {
    const { bytes, count, leafHashes } = linesOf(lines, unpackEntries(entries));
    const answer: ThreadAnswer = { bytes, count, leafHashes: concatBytes(...leafHashes) };
    parentPort?.postMessage(answer, [bytes.buffer]);
  } catch (error) {
    if (!(error instanceof RefusedToSign)) throw error;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
    parentPort?.postMessage({ refusal: error.message });
  }
});
