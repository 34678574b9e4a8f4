import { statementDigests } from "../entries/in-toto-statement.ts";
import type { EntryFacts } from "./entry-facts.ts";

/** By what v1's `index/retrieve` finds an entry: the very texts its kind gave when it was logged. */
export function searchTextsOf({ kind, digests, signers, statement, otherTexts }: EntryFacts): string[] {
  // The certificate that is logged with a JAR need not be its signer's, by whom it is found: that is kept beside it.
  const found = kind === "jar" ? [] : signers;
  return [
    ...found.flatMap(({ loggedDigest }) => [loggedDigest, `sha256:${loggedDigest}`]),
    ...found.flatMap(({ certificate }) => certificate?.sans.map(({ value }) => value) ?? []),
    ...digests,
    ...statementDigests(statement),
    ...otherTexts,
  ];
}

/** What of the texts the facts do not tell by themselves, and so has to be kept beside the entry. */
export function textsToKeep(texts: readonly string[], facts: EntryFacts): string[] {
  const told = new Set(searchTextsOf(facts).map(lowerCase));
  return [...new Set(texts.map(lowerCase))].filter((text) => !told.has(text));
}

function lowerCase(text: string): string {
  return text.toLowerCase();
}
