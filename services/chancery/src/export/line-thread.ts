import { parentPort, workerData } from "node:worker_threads";
import { concatBytes } from "@chancery/encoding";
import { RefusedToSign, Unavailable } from "@chancery/fault";
import { Database } from "@chancery/postgres";
import { linesOf } from "./entry-lines.ts";
import { readPage } from "./entry-page.ts";
import { searchOf } from "./filters.ts";
import {
  type MadeLines,
  nameEntries,
  type ThreadAnswer,
  type ThreadFailure,
  type ThreadQuestion,
  type ThreadTask,
} from "./line-makers.ts";
import { logReader } from "./log-reader.ts";

/** A thread that reads pages of entries and writes them as lines: asked for a page, it answers with bytes, in the order of the questions. */
const { log, shard, filters, format, databaseUrl } = workerData as ThreadTask;
const lines = { log: nameEntries(shard), search: searchOf(filters), format };
/** One page is on its way while another is written. */
const db = await Database.open(databaseUrl, { max: 2 });
const reader = await logReader(db, log);
let last = Promise.resolve();

parentPort?.on("message", ({ start, count }: ThreadQuestion) => {
  const page = readPage(reader, start, count);
  last = last.then(() => linesOf(lines, page).then(answer, fail));
});

function answer({ bytes, count, leafHashes }: MadeLines): void {
  const made: ThreadAnswer = { bytes, count, leafHashes: concatBytes(...leafHashes) };
  parentPort?.postMessage(made, [bytes.buffer]);
}

/** What is no fault of the log or of the database is one of the program: it ends the thread, and with it the export. */
function fail(error: unknown): void {
  const refused = error instanceof RefusedToSign;
  if (!refused && !(error instanceof Unavailable)) throw error;
  const failure: ThreadFailure = { failure: refused ? "refused" : "unavailable", message: error.message };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
  parentPort?.postMessage(failure);
}
