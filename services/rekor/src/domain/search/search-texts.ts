import { statementDigests } from "../entries/in-toto-statement.ts";
import { among, distinct, lowerCase } from "./distinct.ts";
import type { EntryFacts } from "./entry-facts.ts";

/** By what v1's `index/retrieve` finds an entry: the very texts its kind gave when it was logged. */
export function searchTextsOf({ kind, digests, signers, statement, otherTexts }: EntryFacts): string[] {
  // The certificate that is logged with a JAR need not be its signer's, by whom it is found: that is kept beside it.
  const found = kind === "jar" ? [] : signers;
  const texts: string[] = [];
  for (const { loggedDigest } of found) texts.push(loggedDigest, `sha256:${loggedDigest}`);
  for (const { certificate } of found) for (const { value } of certificate?.sans ?? []) texts.push(value);
  return texts.concat(digests, statementDigests(statement), otherTexts);
}

/** What of the texts the facts do not tell by themselves, and so has to be kept beside the entry. */
export function textsToKeep(texts: readonly string[], facts: EntryFacts): string[] {
  const told = searchTextsOf(facts);
  // So it is with nearly every entry: they stand in the facts as they stand in the proposal.
  if (texts.every((text, at) => text === told[at])) return [];
  const isTold = among(told.map(lowerCase));
  return distinct(texts.map(lowerCase)).filter((text) => !isTold(text));
}
