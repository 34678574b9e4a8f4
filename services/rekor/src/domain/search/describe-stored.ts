import { Fault } from "@chancery/fault";
import { IN_TOTO_PAYLOAD_TYPE, readStatement } from "../entries/in-toto-statement.ts";
import { contentTypeOf, parseCoseSign1 } from "../pki/cose-sign1.ts";
import { describeEntry } from "./describe-entry.ts";
import type { EntryFacts, StatementFacts } from "./entry-facts.ts";
import { type BesideEntry, decodeBeside } from "./stored-facts.ts";

/** The facts of an entry as it is stored, and nothing else: its body, and what is kept beside it. */
export function describeStored({ leaf, extra }: { readonly leaf: Uint8Array; readonly extra: Uint8Array }): EntryFacts {
  const beside = decodeBeside(extra);
  const facts = describeEntry(leaf, beside);
  return beside.isBare === true ? { ...facts, statement: statementOf(facts.kind, beside) } : facts;
}

/** Of an attestation that was kept before its facts were. It was judged when it was logged. */
function statementOf(kind: string, { attestation = new Uint8Array() }: BesideEntry): StatementFacts | undefined {
  try {
    if (kind !== "cose") return readStatement(IN_TOTO_PAYLOAD_TYPE, attestation, "attestation");
    const message = parseCoseSign1(attestation, "attestation");
    return readStatement(contentTypeOf(message) ?? "", message.payload, "attestation");
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
