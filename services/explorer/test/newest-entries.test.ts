import { expect, test } from "vitest";
import type { ListedEntry } from "../src/web/api/entries.ts";
import type { SearchRequest } from "../src/web/api/search.ts";
import { isCanary, newestEntries } from "../src/web/query/newest-entries.ts";

const AUDITOR = "auditor@chancery.example";

const isOther = (entry: ListedEntry) => !isCanary(entry, [AUDITOR]);

/** A log of which every entry but each `others`-th is a canary. */
const logOf = (size: number, others: number) => {
  const asked: number[] = [];
  const entries = Array.from({ length: size }, (_, at) => {
    const value = at % others === others - 1 ? "dev@example.com" : AUDITOR;
    return { logIndex: String(at), signers: [{ certificate: { sans: [{ type: "email", value }] } }] };
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
