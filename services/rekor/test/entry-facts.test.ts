import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseEntry } from "../src/domain/entries/entry-kinds.ts";
import type { ParsedEntry, ProposedEntry } from "../src/domain/entries/entry-kind.ts";
import { describeEntry } from "../src/domain/search/describe-entry.ts";
import { newEntryOf } from "../src/domain/search/new-entry.ts";
import { searchTextsOf } from "../src/domain/search/search-texts.ts";
import { decodeBeside } from "../src/domain/search/stored-facts.ts";
import { aCertificate, aStatement, dsse, hashedrekord, intoto1, intoto2, provenance1, rekord } from "./proposals.ts";

const FOLDER = join(import.meta.dirname, "kinds");
const samples = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name): { name: string; proposed: ProposedEntry }[] => JSON.parse(readFileSync(join(FOLDER, name), "utf8")))
  .map(({ name, proposed }): [string, () => Promise<ProposedEntry>] => [
    `${proposed.kind} (${name})`,
    async () => proposed,
  ]);

const made: [string, () => Promise<ProposedEntry>][] = [
  ["hashedrekord with a key", () => hashedrekord()],
  [
    "hashedrekord with a certificate and its chain",
    async () => {
      const { signer, chain } = await aCertificate([{ type: "email", value: "Someone@Example.com" }]);
      return hashedrekord({ signer, verifier: chain.join("") });
    },
  ],
  ["dsse", () => dsse()],
  [
    "dsse with materials",
    () => dsse({ payload: aStatement("ab".repeat(32), { materials: [{ digest: { sha1: "cd".repeat(20) } }] }) }),
  ],
  ["dsse with dependencies", () => dsse({ payload: aStatement("ab".repeat(32), provenance1(["cd", "ef"])) })],
  ["dsse of something else", () => dsse({ payload: "{}", payloadType: "text/plain" })],
  ["intoto 0.0.1", () => intoto1()],
  ["intoto 0.0.2", () => intoto2()],
  ["rekord", () => rekord()],
];

const sorted = (texts: readonly string[]) => [...new Set(texts.map((text) => text.toLowerCase()))].toSorted();

/** The facts as they are told from what is stored, and nothing that was known when it was proposed. */
function stored(parsed: ParsedEntry, attestationBytes: number) {
  const { leaf, extra } = newEntryOf(parsed, attestationBytes);
  return describeEntry(leaf({ index: 0n, time: 0 }), decodeBeside(extra));
}

describe.for([...made, ...samples])("a %s", ([, propose]) => {
  test("is found by the same texts whether they are made of the proposal or of what is stored", async () => {
    const parsed = await parseEntry(await propose());
    for (const attestationBytes of [0, 1 << 20]) {
      expect(sorted(searchTextsOf(stored(parsed, attestationBytes)))).toEqual(sorted(parsed.searchTexts));
    }
  });

  test("has the same facts with and without what was read when it was proposed", async () => {
    const { body, statement, signers } = await parseEntry(await propose());
    const beside = { statement, otherTexts: [] };
    expect(describeEntry(body, beside, signers)).toEqual(describeEntry(body, beside));
  });

  test("keeps its attestation whole beside its facts", async () => {
    const parsed = await parseEntry(await propose());
    const { attestation } = decodeBeside(newEntryOf(parsed, 1 << 20).extra);
    expect(attestation && Buffer.from(attestation).toString("hex")).toBe(
      parsed.attestation && Buffer.from(parsed.attestation).toString("hex"),
    );
    expect(decodeBeside(newEntryOf(parsed, 0).extra).attestation).toBeUndefined();
  });
});
