import { Unsupported } from "@chancery/fault";

/** The API's operations by upstream's operationId, and what each is called in a refusal. */
const OPERATIONS = {
  createLogEntry: "Create Entry",
  getLogEntryByIndex: "Get Log Entry by Index",
  getLogEntryByUUID: "Get Log Entry by UUID",
  searchLogQuery: "Search Log Query",
  searchIndex: "Search Index",
  getLogInfo: "Get Log Info",
  getLogProof: "Get Log Proof",
  getPublicKey: "Get Public Key",
} as const;

export type Operation = keyof typeof OPERATIONS;

/** Answered 501. */
export class OperationDisabled extends Unsupported {}

/** Which operations this installation answers. */
export class EnabledOperations {
  readonly #enabled: ReadonlySet<Operation>;

  constructor(enabled: readonly Operation[] = Object.keys(OPERATIONS) as Operation[]) {
    this.#enabled = new Set(enabled);
  }

  require(operation: Operation): void {
    if (this.#enabled.has(operation)) return;
    throw new OperationDisabled(`${OPERATIONS[operation]} API not enabled in this Rekor instance`);
  }
}
