import { parseCondition } from "./condition.ts";
import type { CompleteTo, FoundEntry } from "./searched-log.ts";
import type { SearchLogs } from "./search-logs.ts";

/** What one identity did in the logs. */
export interface IdentitySummary {
  readonly count: number;
  /** Whether that is all, or only the newest. */
  readonly complete: boolean;
  readonly first: number | undefined;
  readonly last: number | undefined;
  readonly issuers: readonly string[];
  readonly repositories: readonly Tally[];
  readonly kinds: readonly Tally[];
  /** By UTC day. */
  readonly activity: readonly Tally[];
  readonly completeTo: readonly CompleteTo[];
}

export interface Tally {
  readonly value: string;
  readonly count: number;
}

const MOST_ENTRIES = 10_000;
const PAGE = 500;
/** Each looks at no more than a search may; an identity that is not found in so many is told of as far as it was. */
const MOST_SEARCHES = 24;
const MOST_VALUES = 100;

export async function summarizeIdentity(
  logs: SearchLogs,
  { san, issuer }: { readonly san: string; readonly issuer: string | undefined },
): Promise<IdentitySummary> {
  const groups = [[parseCondition("san", san)], ...(issuer === undefined ? [] : [[parseCondition("issuer", issuer)]])];
  const tallies = {
    issuers: new Tallies(),
    repositories: new Tallies(),
    kinds: new Tallies(),
    activity: new Tallies(),
  };
  let [count, first, last]: [number, number | undefined, number | undefined] = [0, undefined, undefined];
  let cursor: string | undefined;
  let completeTo: readonly CompleteTo[] | undefined;
  for (let searches = 0; searches < MOST_SEARCHES && count < MOST_ENTRIES; searches++) {
    const limit = Math.min(PAGE, MOST_ENTRIES - count);
    const asked = { groups, logs: [], from: undefined, to: undefined, order: "newest", limit, asked: "" } as const;
    const answer = await logs.search({ ...asked, cursor });
    completeTo ??= answer.complete;
    for (const found of answer.results) {
      count++;
      last ??= found.entry.time;
      first = found.entry.time;
      tally(found, tallies);
    }
    cursor = answer.cursor;
    if (cursor === undefined) break;
  }
  return {
    count,
    complete: cursor === undefined,
    first,
    last,
    issuers: tallies.issuers.list().map(({ value }) => value),
    repositories: tallies.repositories.list(),
    kinds: tallies.kinds.list(),
    activity: tallies.activity.list(MOST_ENTRIES).toSorted((a, b) => (a.value < b.value ? -1 : 1)),
    completeTo: completeTo ?? [],
  };
}

type Summed = Readonly<Record<"issuers" | "repositories" | "kinds" | "activity", Tallies>>;

function tally({ entry, facts }: FoundEntry, to: Summed): void {
  const certificates = facts.signers.flatMap(({ certificate }) => certificate ?? []);
  to.issuers.add(certificates.map(({ issuer }) => issuer));
  to.repositories.add(
    certificates.map(({ extensions }) => extensions["sourceRepositoryUri"] ?? extensions["githubWorkflowRepository"]),
  );
  to.kinds.add([facts.kind]);
  to.activity.add([new Date(entry.time).toISOString().slice(0, 10)]);
}

/** Counts values, each once an entry; the most frequent first. */
class Tallies {
  readonly #counts = new Map<string, number>();

  add(values: readonly (string | undefined)[]): void {
    for (const value of new Set(values)) {
      if (value !== undefined) this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
    }
  }

  list(most = MOST_VALUES): Tally[] {
    const all = [...this.#counts].map(([value, count]) => ({ value, count }));
    return all.toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1)).slice(0, most);
  }
}
