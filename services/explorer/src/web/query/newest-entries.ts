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

/** As many digits of a key's fingerprint as the auditor tells. */
const DIGITS = 32;

/**
 * Whether the auditor signed it, and nobody else: its name proves nothing, who bears it may be anyone. Only its own
 * process has its keys, and the log has verified that the key signed.
 */
export function isCanary({ signers }: Pick<ListedEntry, "signers">, keys: ReadonlySet<string>): boolean {
  return signers.length > 0 && signers.every(({ keyFingerprint }) => isCanaryKey(keyFingerprint, keys));
}

export function isCanaryKey(fingerprint: string | undefined, keys: ReadonlySet<string>): boolean {
  return fingerprint !== undefined && keys.has(fingerprint.slice(0, DIGITS));
}
