import { parentPort } from "node:worker_threads";
import { judgeProposal } from "../domain/judge-proposal.ts";
import { judgeRequest } from "../domain/v2/judge-request.ts";
import { readProposedEntry } from "../http/request-body.ts";
import { readCreateEntryRequest } from "../http/v2/create-entry-request.ts";
import { PackedWriter } from "./packed-bytes.ts";
import {
  packAnswer,
  type PackedAnswer,
  type PackedProposal,
  type PolicyMessage,
  type ThreadQuestion,
  unpackProposals,
} from "./thread-messages.ts";

/** A thread that is given request bodies, reads and verifies each, and answers with what is to be logged or why not. */
const policies = new Map<number, PolicyMessage>();
const writer = new PackedWriter();
let done: PackedAnswer[] = [];

parentPort?.on("message", (question: ThreadQuestion) => {
  if (!(question instanceof Uint8Array)) {
    policies.set(question.id, question);
    return;
  }
  // All are begun before any is waited for: signatures that are verified together cost less.
  for (const proposal of unpackProposals(question)) void judge(proposal);
});

async function judge({ number, policy, body }: PackedProposal): Promise<void> {
  let outcome: PackedAnswer["outcome"];
  try {
    outcome = await judgeBy(policies.get(policy), body);
  } catch (error) {
    outcome = error instanceof Error ? error : new Error(String(error));
  }
  // What is done in one turn is answered together; what takes longer holds up nobody else's answer.
  if (done.length === 0) setImmediate(answer);
  done.push({ number, outcome });
}

async function judgeBy(rules: PolicyMessage | undefined, body: Uint8Array) {
  if (rules === undefined) throw new Error("a proposal under a policy that was never told");
  return rules.api === "v1"
    ? await judgeProposal(readProposedEntry(body), rules.policy)
    : await judgeRequest(readCreateEntryRequest(body), rules.policy);
}

function answer(): void {
  for (const each of done) packAnswer(writer, each);
  done = [];
  const packed = writer.take();
  parentPort?.postMessage(packed, [packed.buffer]);
}
