import { assert as holds, constantFrom, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { globMatches, parseGlob } from "../src/glob.ts";

describe("a glob", () => {
  test.for([
    ["acme/*", "acme/app", true],
    ["acme/*", "acme/", true],
    ["acme/*", "acme/app/sub", false],
    ["acme/*", "acme", false],
    ["acme/*", "notacme/app", false],
    ["acme/**", "acme/app/sub", true],
    ["acme/**", "acme", false],
    ["**", "", true],
    ["*", "a/b", false],
    ["refs/heads/release-*", "refs/heads/release-1.2", true],
    ["refs/heads/release-*", "refs/heads/release-1/2", false],
    ["**/.github/workflows/*.yml@refs/tags/*", "acme/app/.github/workflows/release.yml@refs/tags/v1", true],
    ["**/.github/workflows/*.yml@refs/tags/*", "acme/app/.github/workflows/x/release.yml@refs/tags/v1", false],
    ["*/*/**", "a/b/c/d", true],
    ["a.c", "abc", false],
    ["a?c", "abc", false],
    ["[ab]", "a", false],
    ["(a|b)+$^", "(a|b)+$^", true],
    ["v\\*", "v*", true],
    ["v\\*", "v1", false],
    ["\\\\*", "\\x", true],
    ["Acme", "acme", false],
    ["a\nb*", "a\nbc", true],
  ] as const)("%j against %j: %j", ([pattern, text, expected]) => {
    expect(globMatches(parseGlob(pattern)!, text)).toBe(expected);
  });

  test("matches what an equal regular expression matches", () => {
    const characters = constantFrom("a", "b", "/", "*", "**", "\\*");
    const pattern = string({ unit: characters, maxLength: 8 });
    const text = string({ unit: constantFrom("a", "b", "/", "*"), maxLength: 12 });
    holds(
      property(pattern, text, (source, subject) => {
        const glob = parseGlob(source);
        if (glob === undefined) return;
        const expression = source.replaceAll(/\*\*|\*|\\\*|[^]/g, (piece) =>
          piece === "**" ? "[^]*" : piece === "*" ? "[^/]*" : RegExp.escape(piece.at(-1)!),
        );
        expect(globMatches(glob, subject)).toBe(new RegExp(`^(?:${expression})$`).test(subject));
      }),
      { numRuns: 20_000 },
    );
  });

  test("of many stars costs time in proportion to the text, whatever the text is", () => {
    const glob = parseGlob(`${"**a*a".repeat(50)}b`)!;
    const time = (length: number) => {
      const started = performance.now();
      expect(globMatches(glob, "a".repeat(length))).toBe(false);
      return performance.now() - started;
    };
    time(4096);
    // Backtracking would take longer than the universe has been there; a generous bound for a busy machine.
    expect(time(4096)).toBeLessThan(2000);
  });

  test("with three stars in a row has no meaning", () => {
    expect(["***", "a****b"].map(parseGlob)).toEqual([undefined, undefined]);
  });
});
