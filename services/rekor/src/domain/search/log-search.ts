import { setImmediate } from "node:timers/promises";
import type { LoggedEntry } from "@chancery/log";
import { type Condition, matches } from "./condition.ts";
import { describeEntry } from "./describe-entry.ts";
import type { FoundEntry, SearchedLog } from "./searched-log.ts";
import { decodeBeside } from "./stored-facts.ts";

export type Order = "newest" | "oldest";

/** Entries that meet one condition of each group. No groups: all entries. */
export interface Search {
  readonly groups: readonly (readonly Condition[])[];
  readonly order: Order;
  readonly limit: number;
}

/** The indexes from `begin` to before `end`. */
export interface IndexRange {
  readonly begin: bigint;
  readonly end: bigint;
}

export interface FoundInLog {
  readonly found: readonly FoundEntry[];
  /** What is not looked at yet; empty when all is. */
  readonly rest: IndexRange;
  /** Time of the last entry that was looked at; undefined when all were. */
  readonly lookedAt: number | undefined;
}

/** Entries that one search reads of a log: 150 µs each to read and describe, so some 0.2 s. */
const MAX_READ = 1_024;
const PAGE = 32;
/** Of what is described of found entries: subjects of attestations can be thousands. */
const MAX_DESCRIBED_BYTES = 4 * 1024 * 1024;

/** Searches a range of a log from its newest or its oldest end; what it leaves is for the next request. */
export async function searchLog(log: SearchedLog, search: Search, range: IndexRange): Promise<FoundInLog> {
  const found: FoundEntry[] = [];
  let rest = range;
  let lookedAt: number | undefined;
  let [read, bytes] = [0, 0];
  while (found.length < search.limit && read < MAX_READ && bytes < MAX_DESCRIBED_BYTES && rest.begin < rest.end) {
    const page = nextIndexes(
      search.order,
      rest,
      Math.min(PAGE, search.groups.length === 0 ? search.limit - found.length : PAGE),
    );
    const entries = await Promise.all(page.map((index) => log.log.entry(index)));
    for (const entry of entries) {
      if (entry === undefined || found.length === search.limit) break;
      const each = describe(log, entry);
      rest = after(search.order, rest, entry.index);
      lookedAt = entry.time;
      read++;
      if (!meetsAll(each, search)) continue;
      found.push(each);
      bytes += entry.leaf.length + entry.extra.length;
    }
    // Others get their turn: a page takes some 5 ms.
    await setImmediate();
  }
  return { found, rest, lookedAt: rest.begin < rest.end ? lookedAt : undefined };
}

export function describe(log: SearchedLog, entry: LoggedEntry): FoundEntry {
  return { log, entry, facts: describeEntry(entry.leaf, decodeBeside(entry.extra)) };
}

function meetsAll({ facts }: FoundEntry, { groups }: Search): boolean {
  return groups.every((conditions) => conditions.some((condition) => matches(facts, condition)));
}

function nextIndexes(order: Order, { begin, end }: IndexRange, most: number): bigint[] {
  const count = end - begin < BigInt(most) ? Number(end - begin) : most;
  return Array.from({ length: count }, (_, at) => (order === "newest" ? end - 1n - BigInt(at) : begin + BigInt(at)));
}

function after(order: Order, { begin, end }: IndexRange, index: bigint): IndexRange {
  return order === "newest" ? { begin, end: index } : { begin: index + 1n, end };
}
