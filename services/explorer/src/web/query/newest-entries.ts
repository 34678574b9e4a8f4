import type { Answer } from "../api/answer.ts";
import type { ListedEntry } from "../api/entries.ts";
import { type Found, search as searchLogs } from "../api/search.ts";

const FIRST = 100;
const FURTHER = 500;
/** With those, 17 hours of the auditor's two entries a minute are looked through. */
const MOST_PAGES = 5;

/** The newest entries, far enough back that `wanted` of them are such as are asked for; or as far as is bearable. */
export async function newestEntries(
  wanted: number,
  isWanted: (entry: ListedEntry) => boolean,
  signal: AbortSignal,
  search: typeof searchLogs = searchLogs,
): Promise<Answer<Found>> {
  const first = await search({ filters: {}, limit: FIRST }, signal);
  if (first.kind !== "answered") return first;
  let found = first.value;
  for (let pages = 1; pages < MOST_PAGES && found.cursor !== undefined; pages++) {
    if (found.results.filter(isWanted).length >= wanted) break;
    const next = await search({ filters: {}, limit: FURTHER, cursor: found.cursor }, signal);
    // What is there already is worth showing.
    if (next.kind !== "answered") break;
    found = { ...next.value, results: [...found.results, ...next.value.results] };
  }
  return { kind: "answered", value: found };
}

/** Whether the auditor signed it, by what the certificate says. */
export function isCanary({ signers }: Pick<ListedEntry, "signers">, identities: readonly string[]): boolean {
  return signers.some(({ certificate }) => certificate?.sans.some(({ value }) => identities.includes(value)) === true);
}
