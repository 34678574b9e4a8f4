import { setImmediate } from "node:timers/promises";
import { Damaged } from "@chancery/fault";
import type { LoggedEntry, PartialEntry, SearchKey } from "@chancery/log";
import { orDamaged } from "../stored-proof.ts";
import { searchGroups } from "./candidates.ts";
import { type Condition, matches } from "./condition.ts";
import { describeStored } from "./describe-stored.ts";
import { MatchingSteps } from "./matching-steps.ts";
import type { FoundEntry, NamedLog, SearchedLog } from "./searched-log.ts";
import { tellsFacts } from "./stored-facts.ts";

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
const MOST_READ = 1_024;
/** Candidates that one search has the database hold against the rarest key's: some 10 µs a key. */
const MOST_CANDIDATES = 16_384;
const FIRST_CANDIDATES = 256;
const CANDIDATES = 4_096;
const PAGE = 32;
/** Of what is described of found entries: subjects of attestations can be thousands. */
const MOST_DESCRIBED_BYTES = 4 * 1024 * 1024;
/** What is read of what is kept beside an entry; of most it is all of the facts there. */
const FACTS_BYTES = 4_096;
/** Of what is read beside entries, found or not: of one it may be 2 MB, and more with its attestation. */
const MOST_READ_BYTES = 16 * 1024 * 1024;

/** Searches a range of a log from its newest or its oldest end; what it leaves is for the next request. */
export async function searchLog(log: SearchedLog, search: Search, range: IndexRange): Promise<FoundInLog> {
  const looking = new Looking(log, search, await searchGroups(log, search.groups), range);
  try {
    while (looking.goesOn) {
      await looking.look();
      // Others get their turn: a page takes some 5 ms.
      await setImmediate();
    }
  } catch (cause) {
    if (!(cause instanceof Damaged)) throw cause;
    const told = `log ${log.name}: ${cause.message}; what was logged before it is found with \`order=oldest\` or \`to\`, what after it with \`from\``;
    throw new Damaged(told, { cause });
  }
  return looking.result();
}

/** One search on its way through a log. */
class Looking {
  readonly #log: SearchedLog;
  readonly #search: Search;
  readonly #keys: readonly (readonly SearchKey[])[];
  readonly #found: FoundEntry[] = [];
  /** Indexes that may be meant, in order, not read yet. */
  #candidates: readonly bigint[] = [];
  /** Not read yet, candidates and all. */
  #rest: IndexRange;
  /** Not looked up yet. */
  #ahead: IndexRange;
  readonly #steps = new MatchingSteps();
  #read = 0;
  #lookedUp = 0;
  #bytes = 0;
  #readBytes = 0;
  #lookedAt: number | undefined;

  constructor(log: SearchedLog, search: Search, keys: readonly (readonly SearchKey[])[], range: IndexRange) {
    this.#log = log;
    this.#search = search;
    this.#keys = keys;
    [this.#rest, this.#ahead] = [range, range];
  }

  get goesOn(): boolean {
    if (isEmpty(this.#rest) || this.#found.length >= this.#search.limit || this.#steps.isSpent) return false;
    if (this.#readBytes >= MOST_READ_BYTES) return false;
    return this.#read < MOST_READ && this.#lookedUp < MOST_CANDIDATES && this.#bytes < MOST_DESCRIBED_BYTES;
  }

  async look(): Promise<void> {
    if (this.#candidates.length === 0) await this.#lookUp();
    const most = this.#search.groups.length === 0 ? this.#search.limit - this.#found.length : PAGE;
    const page = this.#candidates.slice(0, Math.min(PAGE, most));
    // Described one by one: the facts of a page of large ones would be some 100 MB at once.
    const { log } = this.#log;
    for (const entry of await orDamaged(log, () => log.lookup.entries(page, FACTS_BYTES))) {
      if (!this.goesOn) return;
      await this.#judge(await this.#describe(entry));
    }
    this.#candidates = this.#candidates.slice(page.length);
    // Between the last candidate and what is not looked up yet there is none.
    if (this.#candidates.length === 0) await this.#skip();
  }

  result(): FoundInLog {
    return { found: this.#found, rest: this.#rest, lookedAt: isEmpty(this.#rest) ? undefined : this.#lookedAt };
  }

  async #lookUp(): Promise<void> {
    const { order } = this.#search;
    if (this.#keys.length === 0) {
      this.#candidates = nextIndexes(order, this.#ahead, PAGE);
      this.#ahead = after(order, this.#ahead, this.#candidates.at(-1) ?? 0n);
      return;
    }
    const candidates = this.#lookedUp === 0 ? FIRST_CANDIDATES : CANDIDATES;
    const { indexes, reached } = await this.#log.log.lookup.find({
      groups: this.#keys,
      ...this.#ahead,
      order,
      candidates,
    });
    this.#lookedUp += candidates;
    this.#candidates = indexes;
    this.#ahead = reached === undefined ? nothingOf(order, this.#ahead) : after(order, this.#ahead, reached);
  }

  async #judge(entry: FoundEntry): Promise<void> {
    const { index, time, leaf, extra } = entry.entry;
    this.#rest = after(this.#search.order, this.#rest, index);
    this.#lookedAt = time;
    this.#read++;
    if (!(await this.#steps.meetsAll(entry.facts, this.#search.groups))) return;
    this.#found.push(entry);
    this.#bytes += leaf.length + extra.length;
  }

  async #skip(): Promise<void> {
    const { order } = this.#search;
    this.#rest = this.#ahead;
    if (isEmpty(this.#rest) || this.goesOn) return;
    // Where it stops without having read an entry there, its time is still what others are merged by.
    const last = order === "newest" ? this.#rest.end : this.#rest.begin - 1n;
    this.#lookedAt = (await this.#log.log.entry(last))?.time ?? this.#lookedAt;
  }

  /** Of an entry with much beside it the rest is read where its facts go on there. */
  async #describe(entry: PartialEntry): Promise<FoundEntry> {
    if (tellsFacts(entry.extra, entry.extraLength)) return describe(this.#log, entry);
    this.#readBytes += entry.extraLength;
    return describe(this.#log, (await this.#log.log.entry(entry.index)) ?? entry);
  }
}

export function describe<Log extends NamedLog>(log: Log, entry: LoggedEntry): FoundEntry<Log> {
  return { log, entry, facts: describeStored(entry) };
}

export function meetsAll({ facts }: Pick<FoundEntry, "facts">, { groups }: Pick<Search, "groups">): boolean {
  return groups.every((conditions) => conditions.some((condition) => matches(facts, condition)));
}

function nextIndexes(order: Order, { begin, end }: IndexRange, most: number): bigint[] {
  const count = end - begin < BigInt(most) ? Number(end - begin) : most;
  return Array.from({ length: count }, (_, at) => (order === "newest" ? end - 1n - BigInt(at) : begin + BigInt(at)));
}

function after(order: Order, { begin, end }: IndexRange, index: bigint): IndexRange {
  return order === "newest" ? { begin, end: index } : { begin: index + 1n, end };
}

function nothingOf(order: Order, { begin, end }: IndexRange): IndexRange {
  return order === "newest" ? { begin, end: begin } : { begin: end, end };
}

function isEmpty({ begin, end }: IndexRange): boolean {
  return begin >= end;
}
