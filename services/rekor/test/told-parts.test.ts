import { readFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "@chancery/encoding";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ParsedEntry } from "../src/domain/entries/entry-kind.ts";
import { hashedrekord as kind } from "../src/domain/entries/hashedrekord.ts";
import { describeEntry, describeTold } from "../src/domain/search/describe-entry.ts";
import { newEntryOf } from "../src/domain/search/new-entry.ts";
import { parseDsse } from "../src/domain/v2/dsse.ts";
import { parseHashedRekord } from "../src/domain/v2/hashedrekord.ts";
import { readCreateEntryRequest } from "../src/http/v2/create-entry-request.ts";
import { aCertificate, hashedrekord } from "./proposals.ts";

/* Facts are a pure function of what is stored: what a kind tells of its body is what the body says. */

function expectSame({ told, ...parsed }: Omit<ParsedEntry, "keyAlgorithm">): void {
  if (told === undefined) throw new Error("nothing is told");
  const { body, statement } = parsed;
  expect(describeTold(told, statement)).toEqual(describeEntry(body, { statement, otherTexts: [] }));
  const logged = (each: typeof parsed & Pick<ParsedEntry, "told">) => {
    const { leaf, ...entry } = newEntryOf(each, 1 << 20);
    return { ...entry, leaf: leaf({ index: 0n, time: 0 }) };
  };
  expect(logged({ ...parsed, told })).toEqual(logged(parsed));
}

const NAME = fc.oneof(
  fc.webUrl().map((value) => ({ type: "url" as const, value })),
  fc.constantFrom("Someone@Example.com", "x@sha256.example").map((value) => ({ type: "email" as const, value })),
  fc.constantFrom("A.b.Example.com", "*.example.org").map((value) => ({ type: "dns" as const, value })),
  // As a key's digest is written.
  fc.constantFrom(`sha256:${"ab".repeat(32)}`, "CD".repeat(32)).map((value) => ({ type: "url" as const, value })),
);
const FULCIO = fc.record(
  {
    issuer: fc.constant("https://issuer.example/É"),
    "github-workflow-sha": fc.constantFrom("AB".repeat(20), "cd".repeat(20)),
    "source-repository-uri": fc.webUrl(),
    "source-repository-digest": fc.constant("AB".repeat(20)),
    "token-subject": fc.string({ minLength: 1, unit: "grapheme" }),
  },
  { requiredKeys: ["issuer"] },
);

describe("a hashedrekord tells what its body says", () => {
  test("of a certificate with any names, alone or with its chain", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(NAME, { minLength: 1, maxLength: 4 }),
        FULCIO,
        fc.boolean(),
        fc.boolean(),
        async (names, fulcio, isChain, isUpperCase) => {
          const { signer, leaf, chain } = await aCertificate(names, fulcio);
          const proposal = await hashedrekord({ signer, verifier: isChain ? chain.join("") : leaf });
          const { hash } = proposal.spec.data;
          if (isUpperCase) hash.value = hash.value.toUpperCase();
          expectSame(await kind.parse(proposal));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("of a key", async () => {
    expectSame(await kind.parse(await hashedrekord()));
  });
});

const samples = JSON.parse(readFileSync(join(import.meta.dirname, "vectors-v2", "samples.json"), "utf8")) as {
  name: string;
  request: object;
}[];

test.for(samples.map(({ name, request }) => [name, request] as const))(
  "a v2 request signed with %s tells what its body says",
  async ([, sample]) => {
    const request = readCreateEntryRequest(utf8(JSON.stringify(sample)));
    expectSame(await ("dsse" in request ? parseDsse(request.dsse) : parseHashedRekord(request.hashedRekord)));
  },
);
