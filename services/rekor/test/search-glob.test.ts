import { describe, expect, test } from "vitest";
import { parseCondition } from "../src/domain/search/condition.ts";
import type { EntryFacts } from "../src/domain/search/entry-facts.ts";
import { MatchingSteps } from "../src/domain/search/matching-steps.ts";
import { parseSanGlob } from "../src/domain/search/san-glob.ts";

function factsOf(names: readonly string[]): EntryFacts {
  const sans = names.map((value) => ({ type: "dns" as const, value }));
  const certificate = { sans, extensions: {} } as unknown as EntryFacts["signers"][0]["certificate"];
  const signer = { format: "x509", keyFingerprint: "", loggedDigest: "", algorithm: undefined, certificate };
  return {
    kind: "dsse",
    apiVersion: "0.0.1",
    digests: [],
    signers: [signer],
    statement: undefined,
    otherTexts: [],
  };
}

const slow = `aaa*${"a".repeat(507)}b`;

describe("a pattern of names", () => {
  test("is not held against a name of 60,000 characters, which took 0.2 s", () => {
    const { matches, steps } = parseSanGlob(slow);
    const name = `${"a".repeat(60_000)}b`;
    expect(matches(name)).toBe(false);
    expect(steps(name)).toBe(1);
    expect(matches(`${"a".repeat(2_047)}b`)).toBe(true);
    expect(matches(`${"a".repeat(2_048)}b`)).toBe(false);
  });

  test("of an entry with hundreds of names that it is slow on leaves others their turn, and then the search ends", async () => {
    const facts = factsOf(Array.from({ length: 100 }, () => "a".repeat(2_048)));
    const steps = new MatchingSteps();
    let turns = 0;
    let others = setImmediate(function turn() {
      turns++;
      others = setImmediate(turn);
    });
    expect(await steps.meetsAll(facts, [[parseCondition("sanGlob", slow)]])).toBe(false);
    clearImmediate(others);
    expect(turns).toBeGreaterThanOrEqual(90);
    expect(steps.isSpent).toBe(true);
  });

  test("of an entry as most are takes next to nothing of what a search may take", async () => {
    const steps = new MatchingSteps();
    const facts = factsOf(["https://github.com/Owner/Repo/.github/workflows/ci.yml@refs/heads/main"]);
    const conditions = [parseCondition("sanGlob", "https://github.com/*/repo/*"), parseCondition("san", "none")];
    for (let read = 0; read < 1_024; read++) expect(await steps.meetsAll(facts, [conditions])).toBe(true);
    expect(await steps.meetsAll(facts, [[parseCondition("sanGlob", "https://github.com/*/other/*")]])).toBe(false);
    expect(steps.isSpent).toBe(false);
  });
});
