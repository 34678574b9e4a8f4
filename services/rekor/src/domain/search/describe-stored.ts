import { Damaged, Fault } from "@chancery/fault";
import type { LoggedEntry } from "@chancery/log";
import { IN_TOTO_PAYLOAD_TYPE, readStatement } from "../entries/in-toto-statement.ts";
import { contentTypeOf, parseCoseSign1 } from "../pki/cose-sign1.ts";
import { describeEntry } from "./describe-entry.ts";
import type { EntryFacts, StatementFacts } from "./entry-facts.ts";
import { type BesideEntry, decodeBeside } from "./stored-facts.ts";

/** The facts of an entry as it is stored, and nothing else: its body, and what is kept beside it. */
export function describeStored({ index, leaf, extra }: Pick<LoggedEntry, "index" | "leaf" | "extra">): EntryFacts {
  const beside = decodeBeside(extra);
  try {
    const facts = describeEntry(leaf, beside);
    return beside.isBare === true ? { ...facts, statement: statementOf(facts.kind, beside) } : facts;
  } catch (cause) {
    // Nothing that was ever logged: whoever asks has made no mistake.
    throw new Damaged(`the stored entry ${index} cannot be read`, { cause });
  }
}

/** Of an attestation that was kept before its facts were, and before dependencies were searched by. It was judged when it was logged. */
function statementOf(kind: string, { attestation = new Uint8Array() }: BesideEntry): StatementFacts | undefined {
  try {
    const statement =
      kind === "cose" ? statementOfCose(attestation) : readAttestation(IN_TOTO_PAYLOAD_TYPE, attestation);
    return statement && { ...statement, dependencies: [] };
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

function statementOfCose(attestation: Uint8Array): StatementFacts | undefined {
  const message = parseCoseSign1(attestation, "attestation");
  return readAttestation(contentTypeOf(message) ?? "", message.payload);
}

function readAttestation(payloadType: string, payload: Uint8Array): StatementFacts | undefined {
  return readStatement(payloadType, payload, "attestation");
}
