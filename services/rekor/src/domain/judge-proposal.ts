import type { NewEntry } from "@chancery/log";
import { assertSigners, type SignerRules } from "./admission.ts";
import { parseEntry } from "./entries/entry-kinds.ts";
import type { ProposedEntry } from "./entries/entry-kind.ts";
import { newEntryOf } from "./search/new-entry.ts";
import { assertKeyAllowed, assertKindEnabled, DEFAULT_ATTESTATION_BYTES, type WritePolicy } from "./write-policy.ts";

/** What is asked of a proposal, whoever sends it. It holds no secret: threads are given it. */
export interface ProposalPolicy extends Pick<WritePolicy, "entryKinds" | "keyAlgorithms" | "attestationBytes"> {
  readonly signers?: SignerRules | undefined;
}

/** Reads proposals and verifies them, beside the main thread. */
export type Intake = (body: Uint8Array) => Promise<NewEntry>;

export function proposalPolicy({
  admission,
  entryKinds,
  keyAlgorithms,
  attestationBytes,
}: WritePolicy): ProposalPolicy {
  return {
    ...(entryKinds && { entryKinds }),
    ...(keyAlgorithms && { keyAlgorithms }),
    ...(attestationBytes !== undefined && { attestationBytes }),
    signers: admission?.signers,
  };
}

/** What the log is given of a proposal for the v1 log, or the Fault that refuses it. */
export async function judgeProposal(proposed: ProposedEntry, policy: ProposalPolicy): Promise<NewEntry> {
  assertKindEnabled(proposed.kind, policy);
  const parsed = await parseEntry(proposed);
  assertKeyAllowed(parsed.keyAlgorithm, policy, "spec.signature.publicKey.content");
  assertSigners(parsed.signers, policy.signers);
  return newEntryOf(parsed, policy.attestationBytes ?? DEFAULT_ATTESTATION_BYTES);
}
