import { parentPort } from "node:worker_threads";
import { P256 } from "./curve.ts";
import { verifyEcdsaDigests } from "./ecdsa-digest.ts";
import { unpackDigests } from "./packed-digests.ts";

/** A thread that is sent batches of signatures over digests and answers each with an octet a signature: 1 where it holds. */
parentPort?.on("message", (packed: Uint8Array) => {
  const valid = verifyEcdsaDigests(P256, unpackDigests(packed));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, a window has
  parentPort?.postMessage(Uint8Array.from(valid, Number));
});
