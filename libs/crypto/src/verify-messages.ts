import { parentPort } from "node:worker_threads";
import { unpackMessages } from "./packed-messages.ts";
import { type SignedMessage, verifySignedMessage } from "./signed-message.ts";

const COULD_NOT_TELL = 2;

/** A thread that is sent batches of signed messages and answers each with an octet a message, as `BatchWork` has it. */
parentPort?.on("message", (packed: Uint8Array) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
  parentPort?.postMessage(Uint8Array.from(unpackMessages(packed), octet));
});

/** What OpenSSL throws at is its sender's trouble alone: those beside it in the batch have their answers. */
function octet(signed: SignedMessage): number {
  try {
    return Number(verifySignedMessage(signed));
  } catch {
    return COULD_NOT_TELL;
  }
}
