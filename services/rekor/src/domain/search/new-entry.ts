import { type NewEntry, SearchKeys, storedLeaf } from "@chancery/log";
import type { ParsedEntry } from "../entries/entry-kind.ts";
import { entryKeys, searchNames } from "../search-key.ts";
import { describeEntry, describeTold } from "./describe-entry.ts";
import { textsToKeep } from "./search-texts.ts";
import { encodeBeside } from "./stored-facts.ts";

/** What the log is given of a proposal that was verified. A payload of more than `attestationBytes` is not kept. */
export function newEntryOf(parsed: Omit<ParsedEntry, "keyAlgorithm">, attestationBytes: number): NewEntry {
  const { body, searchTexts, statement, signers, attestation, told } = parsed;
  const facts =
    told === undefined ? describeEntry(body, { statement, otherTexts: [] }, signers) : describeTold(told, statement);
  const kept = attestation !== undefined && attestation.length <= attestationBytes ? attestation : undefined;
  const { stored, hash } = storedLeaf(body);
  return {
    identity: hash,
    leaf: () => body,
    stored,
    extra: encodeBeside({ statement, otherTexts: textsToKeep(searchTexts, facts), attestation: kept }),
    searchKeys: SearchKeys.of(entryKeys(searchTexts, facts)),
    names: searchNames(facts),
  };
}
