/**
 * `open`: nothing to check here, or not possible in this place; it says why, and is no failure. `doubtful`: it should
 * have been checked and could not be, or holds by this server's word alone where more is wanted: no verdict is green then.
 */
export type StepState = "passed" | "failed" | "open" | "doubtful";

/** One link of the chain from what is shown to the key that is trusted. */
export interface Step {
  readonly id: StepId;
  readonly title: string;
  readonly state: StepState;
  /** One sentence for a reader who does not know the mathematics. */
  readonly words: string;
  /** The values, for one who does. */
  readonly values: readonly (readonly [name: string, value: string])[];
}

export type StepId =
  | "body"
  | "leaf"
  | "path"
  | "checkpoint"
  | "log-signature"
  | "promise"
  | "artifact-signature"
  | "attestation"
  | "certificate"
  | "certificate-log"
  | "bundle-entry"
  | "bundle-signature"
  | "timestamp";

export const STEP_TITLES: Readonly<Record<StepId, string>> = {
  body: "The entry is what this page shows",
  leaf: "Its leaf hash is its name",
  path: "The path leads from the leaf to the root",
  checkpoint: "The log's checkpoint has that root",
  "log-signature": "The checkpoint is signed by a key you trust",
  promise: "The log's promise of the time is signed",
  "artifact-signature": "The signature is by the key it names",
  attestation: "The statement is the one that was logged",
  certificate: "The certificate was valid and is of a known authority",
  "certificate-log": "The certificate was logged before it was issued",
  "bundle-entry": "The log entry is of this bundle's signature",
  "bundle-signature": "The bundle's signature is by its signer's key",
  timestamp: "The time of the signature is proven",
};

export type Finding = Pick<Step, "state" | "words"> & Partial<Pick<Step, "values">>;

export function step(id: StepId, { state, words, values = [] }: Finding): Step {
  return { id, title: STEP_TITLES[id], state, words, values };
}

/** What is wrong with strangers' bytes is a failed step; the page never breaks over it. */
export async function attempt(id: StepId, check: () => Finding | Promise<Finding>): Promise<Step> {
  try {
    return step(id, await check());
  } catch (error) {
    return step(id, { state: "failed", words: sentence(error instanceof Error ? error.message : "It cannot be read") });
  }
}

function sentence(message: string): string {
  const capital = message.charAt(0).toUpperCase() + message.slice(1);
  return capital.endsWith(".") ? capital : `${capital}.`;
}
