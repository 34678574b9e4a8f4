import { expect, test } from "vitest";
import type { ListedEntry } from "../src/web/api/entries.ts";
import type { SearchRequest } from "../src/web/api/search.ts";
import { isCanary, newestEntries } from "../src/web/query/newest-entries.ts";

const KEY = "ab".repeat(32);
const KEYS = new Set([KEY.slice(0, 32)]);

const isOther = (entry: ListedEntry) => !isCanary(entry, KEYS);

/** A log of which every entry but each `others`-th is a canary. */
const logOf = (size: number, others: number) => {
  const asked: number[] = [];
  const entries = Array.from({ length: size }, (_, at) => {
    return { logIndex: String(at), signers: [{ keyFingerprint: at % others === others - 1 ? "cd".repeat(32) : KEY }] };
  });
  const search = async ({ limit = 25, cursor = "0" }: SearchRequest) => {
    asked.push(limit);
    const [start, end] = [Number(cursor), Number(cursor) + limit];
    const results = entries.slice(start, end) as unknown as ListedEntry[];
    const value = { results, cursor: end < size ? String(end) : undefined, complete: [], incomplete: undefined };
    return { kind: "answered", value } as const;
  };
  return { asked, search };
};

test.for([
  [20, 2, [100]],
  [5_000, 5, [100]],
  [5_000, 60, [100, 500]],
  [10_000, 100_000, [100, 500, 500, 500, 500]],
] as const)("of %i entries, one in %i not the auditor's, it reads pages of %j", async ([size, others, pages]) => {
  const { asked, search } = logOf(size, others);
  const answer = await newestEntries(8, isOther, new AbortController().signal, search);
  expect(asked).toEqual(pages);
  expect(answer.kind === "answered" && answer.value.results.length).toBe(
    Math.min(
      size,
      pages.reduce((sum, page) => sum + page, 0),
    ),
  );
});

test("whoever bears the auditor's name is not left out with it: only its keys are its own", () => {
  const certificate = { sans: [{ type: "email", value: "auditor@chancery.example" }] };
  const signedBy = (...keys: readonly (string | undefined)[]) =>
    isCanary(
      { signers: keys.map((keyFingerprint) => ({ keyFingerprint, certificate })) } as unknown as ListedEntry,
      KEYS,
    );
  expect(signedBy(KEY)).toBe(true);
  expect(signedBy("cd".repeat(32))).toBe(false);
  expect(signedBy(KEY, "cd".repeat(32))).toBe(false);
  expect([signedBy(undefined), signedBy()]).toEqual([false, false]);
});
