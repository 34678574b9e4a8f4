import { Malformed } from "@chancery/fault";
import { decodeCursor, encodeCursor } from "./search-cursor.ts";
import { Turnstile } from "./turnstile.ts";
import { type FoundInLog, type IndexRange, type Order, type Search, searchLog } from "./log-search.ts";
import type { CompleteTo, FoundEntry, SearchedLog } from "./searched-log.ts";

const AT_ONCE = 8;
const WAITING = 256;

/** Which entries of which logs. */
export interface LogsSearch extends Search {
  readonly logs: readonly string[];
  /** Milliseconds since 1970; from inclusive, to exclusive. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly cursor: string | undefined;
  /** Everything that was asked but for limit and cursor, as text: a cursor belongs to it. */
  readonly asked: string;
}

export interface SearchAnswer {
  readonly results: readonly FoundEntry[];
  readonly cursor: string | undefined;
  readonly complete: readonly CompleteTo[];
}

/** One search for both logs: each is searched by itself, and what they found is merged by time. */
export class SearchLogs {
  readonly #logs: readonly SearchedLog[];
  readonly #turnstile = new Turnstile(AT_ONCE, WAITING);

  constructor(logs: readonly SearchedLog[]) {
    this.#logs = logs;
  }

  get logs(): readonly SearchedLog[] {
    return this.#logs;
  }

  /** Some at once: each reads up to 1,024 entries of each log. */
  async search(search: LogsSearch): Promise<SearchAnswer> {
    return await this.#turnstile.pass(() => this.#search(search));
  }

  async #search(search: LogsSearch): Promise<SearchAnswer> {
    const asked = this.#logs.filter(({ name }) => search.logs.length === 0 || search.logs.includes(name));
    const positions = search.cursor === undefined ? undefined : decodeCursor(search.cursor, search.asked);
    // Before the look-ups, so that all that is in this tree is there to be found.
    const complete = await Promise.all(asked.map((log) => completeTo(log, search)));
    const parts = await Promise.all(
      complete.map(async (part) => {
        const range = await rangeOf(search, part, positions?.get(part.log.key));
        return { log: part.log, ...(await searchLog(part.log, search, range)) };
      }),
    );
    const { results, rests } = merge(parts, search);
    if (rests.every(({ rest: { begin, end } }) => begin >= end)) return { results, cursor: undefined, complete };
    const next = rests.map(({ log: { key }, rest }) => [key, nextOf(search.order, rest)] as const);
    return { results, cursor: encodeCursor(search.asked, new Map(next)), complete };
  }
}

/** Without a filter nothing is looked up, and nothing can be missing. */
async function completeTo(log: SearchedLog, { groups }: Search): Promise<CompleteTo> {
  const unindexed = groups.length === 0 ? 0n : await log.log.lookup.unindexed();
  return { log, checkpoint: await log.log.published(), unindexed };
}

/**
 * What of the published tree is asked for, from where the last answer ended. Entries that are missing, of which nobody
 * knows whether they are of that time, are in it: they are told and not left out.
 */
async function rangeOf(
  { from, to, order }: LogsSearch,
  { log: { log, name }, checkpoint }: CompleteTo,
  position: bigint | undefined,
): Promise<IndexRange> {
  const { size } = checkpoint.head;
  // No entry is newer than its tree.
  const sizeAt = async (time: number | undefined, otherwise: bigint) => {
    if (time === undefined) return { least: otherwise, most: otherwise };
    return time > checkpoint.time ? undefined : (await log.lookup.sizesAt([time], size))[0];
  };
  const [first, last] = await Promise.all([sizeAt(from, 0n), sizeAt(to, size)]);
  const [begin, end] = [first?.least ?? size, last?.most ?? size];
  if (position === undefined) return { begin, end };
  if (position < -1n || position > size) throw new Malformed(`cursor: beyond the tree of ${name}, of ${size} entries`);
  const [low, high] = order === "newest" ? [begin, position + 1n] : [position, end];
  return { begin: low > begin ? low : begin, end: high < end ? high : end };
}

/** The index that is looked at next; of an empty range the one beside it. */
function nextOf(order: Order, { begin, end }: IndexRange): bigint {
  return order === "newest" ? end - 1n : begin;
}

interface Part extends FoundInLog {
  readonly log: SearchedLog;
}

/**
 * By time, then by log. What a log has left to look at may hold something that comes before what the other one found:
 * nothing is told beyond the nearest place up to which a log was looked at, and what is not told is found again.
 */
function merge(parts: readonly Part[], { order, limit }: Search) {
  const placed = parts
    .flatMap(({ found }, rank) => found.map((each) => ({ each, place: { time: each.entry.time, rank } })))
    .toSorted((a, b) => compare(order, a.place, b.place));
  const open = parts.flatMap(({ lookedAt }, rank) => (lookedAt === undefined ? [] : [{ time: lookedAt, rank }]));
  const told = placed
    .filter(({ place }) => open.every((end) => end.rank === place.rank || compare(order, place, end) < 0))
    .slice(0, limit)
    .map(({ each }) => each);
  const rests = parts.map(({ log, found, rest }) => {
    const untold = found.find((each) => !told.includes(each));
    return { log, rest: untold === undefined ? rest : before(order, rest, untold.entry.index) };
  });
  return { results: told, rests };
}

interface Place {
  readonly time: number;
  readonly rank: number;
}

function compare(order: Order, a: Place, b: Place): number {
  return (order === "newest" ? b.time - a.time : a.time - b.time) || a.rank - b.rank;
}

/** The rest of a range with the entry that was found at `index` and all that comes after it. */
function before(order: Order, { begin, end }: IndexRange, index: bigint): IndexRange {
  return order === "newest" ? { begin, end: index + 1n } : { begin: index, end };
}
