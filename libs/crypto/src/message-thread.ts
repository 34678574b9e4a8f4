import { BatchThread, programBeside } from "./batch-thread.ts";
import { packMessages } from "./packed-messages.ts";
import { type SignedMessage, verifySignedMessage } from "./signed-message.ts";

const PROGRAM = programBeside(import.meta, "verify-messages");

/** A thread that verifies signed messages. What is verified together costs one way there and back. */
export function messageThread(program = PROGRAM): BatchThread<SignedMessage> {
  return new BatchThread({ program, pack: packMessages, here: verifySignedMessage });
}
