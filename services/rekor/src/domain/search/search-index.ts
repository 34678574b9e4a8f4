import { setImmediate } from "node:timers/promises";
import { sha256 } from "@chancery/crypto";
import { encodeHex, equalBytes, utf8 } from "@chancery/encoding";
import { distinctKeys, type KeyedEntry, type PostgresSearchIndex, type SearchKey } from "@chancery/log";
import { entryKeys, searchNames, textKeys } from "../search-key.ts";
import { describeStored } from "./describe-stored.ts";
import type { EntryFacts } from "./entry-facts.ts";
import { searchTextsOf } from "./search-texts.ts";
import { tellsFacts } from "./stored-facts.ts";

/** Tells how far it is: `done` of `total` of what it does now. */
export type IndexProgress = (step: string, done: bigint, total: bigint) => void;

/** What is stored otherwise than the entries say. */
export interface IndexDifference {
  /** Of a name that no entry has, undefined. */
  readonly index: bigint | undefined;
  readonly what: string;
}

const PAGE = 256;
const FACTS_BYTES = 4_096;
/** 16 MB of sums. A log of more entries reads the table of keys once for each such window. */
const WINDOW = 2 ** 21;
const MOST_DIFFERENCES = 10;

/** What entries are found by, from nothing but what is stored of them. */
export function keysOfFacts(facts: EntryFacts): SearchKey[] {
  return entryKeys(searchTextsOf(facts), facts);
}

/** Adds what is missing, of every entry that is published; resolves with of how many something was. The log may be in use. */
export async function rebuildIndex(index: PostgresSearchIndex, progress: IndexProgress): Promise<bigint> {
  const size = (await index.reader.published())?.head.size ?? 0n;
  let added = 0n;
  for (let begin = 0n; begin < size; begin += BigInt(PAGE)) {
    added += BigInt(await index.complete(await keyedEntries(index, begin, size)));
    progress("entries", begin, size);
    await setImmediate();
  }
  await index.noteRebuilt(size);
  return added;
}

/** The first differences between what is stored and what should be, none where all is well. */
export async function verifyIndex(index: PostgresSearchIndex, progress: IndexProgress): Promise<IndexDifference[]> {
  const size = (await index.reader.published())?.head.size ?? 0n;
  const differences: IndexDifference[] = [];
  for (let begin = 0n; begin < size && differences.length < MOST_DIFFERENCES; begin += BigInt(WINDOW)) {
    const end = begin + BigInt(WINDOW) < size ? begin + BigInt(WINDOW) : size;
    differences.push(...(await verifyWindow(index, { begin, end, size }, progress)));
  }
  for await (const page of index.names()) {
    for (const { name, used } of page) {
      if (!used) differences.push({ index: undefined, what: `the name ${JSON.stringify(name)} is of no entry` });
    }
  }
  return differences.slice(0, MOST_DIFFERENCES);
}

interface Window {
  readonly begin: bigint;
  readonly end: bigint;
  /** Of the log. */
  readonly size: bigint;
}

/**
 * Each entry's keys are added up as numbers, those that it should have and those that are stored, so that neither has to
 * be kept nor looked up one by one. Where the sums are not equal the entry is looked at.
 */
async function verifyWindow(
  index: PostgresSearchIndex,
  { begin, end, size }: Window,
  progress: IndexProgress,
): Promise<IndexDifference[]> {
  const sums = new BigUint64Array(Number(end - begin));
  const differences: IndexDifference[] = [];
  for (let at = begin; at < end; at += BigInt(PAGE)) {
    const entries = await keyedEntries(index, at, end);
    for (const { index: place, searchKeys } of entries) add(sums, place - begin, searchKeys, 1n);
    differences.push(...(await missingNames(index, entries)));
    progress("entries", at, size);
    await setImmediate();
  }
  for await (const { rows, done, total } of index.rows()) {
    for (const { index: place, searchKeys } of rows) {
      if (place >= begin && place < end) add(sums, place - begin, searchKeys, -1n);
    }
    progress("keys", BigInt(done), BigInt(total));
  }
  const other = [...sums.keys()].filter((at) => sums[at] !== 0n).slice(0, MOST_DIFFERENCES);
  differences.push(
    ...(await tell(
      index,
      other.map((at) => begin + BigInt(at)),
    )),
  );
  return differences.toSorted((a, b) => Number((a.index ?? 0n) - (b.index ?? 0n)));
}

function add(sums: BigUint64Array, at: bigint, keys: readonly SearchKey[], sign: 1n | -1n): void {
  const place = Number(at);
  for (const { column, bytes } of keys) {
    const number = Buffer.from(sha256(Buffer.concat([utf8(column), bytes]))).readBigUInt64BE();
    sums[place] = (sums[place] ?? 0n) + sign * number;
  }
}

async function missingNames(index: PostgresSearchIndex, entries: readonly KeyedEntry[]): Promise<IndexDifference[]> {
  const missing = await index.missing(
    entries.map(({ index: place, names }) => ({ index: place, searchKeys: [], names })),
  );
  return missing.map(({ index: place, names }) => ({
    index: place,
    what: `its name ${JSON.stringify(names[0]?.name)} is missing`,
  }));
}

/** What exactly is other of these entries: their rows are looked for in the whole table once more. */
async function tell(index: PostgresSearchIndex, places: readonly bigint[]): Promise<IndexDifference[]> {
  if (places.length === 0) return [];
  const stored = new Map<bigint, SearchKey[]>(places.map((place) => [place, []]));
  for await (const { rows } of index.rows()) {
    for (const { index: place, searchKeys } of rows) stored.get(place)?.push(...searchKeys);
  }
  const differences: IndexDifference[] = [];
  for (const place of places) {
    const [entry] = await entriesWithFacts(index, place, place + 1n);
    if (entry !== undefined) differences.push(...compare(place, entry.facts, stored.get(place) ?? []));
  }
  return differences;
}

function compare(index: bigint, facts: EntryFacts, stored: readonly SearchKey[]): IndexDifference[] {
  const expected = keysOfFacts(facts);
  const texts = searchTextsOf(facts);
  const nameOf = (key: SearchKey) => {
    const text = texts.find((each) => textKeys([each]).some((own) => equalBytes(own.bytes, key.bytes)));
    return `${key.column} ${encodeHex(key.bytes)}${text === undefined ? "" : ` (${JSON.stringify(text)})`}`;
  };
  const distinct = [...stored, ...expected].filter((key, at, all) => all.findIndex((each) => isSame(each, key)) === at);
  return distinct.flatMap((key) => {
    const [should, is] = [Math.min(1, countOf(key, expected)), countOf(key, stored)];
    if (should === is) return [];
    const what = should > is ? "is missing" : should === 0 ? "is not the entry's" : `is there ${is} times`;
    return [{ index, what: `its key ${nameOf(key)} ${what}` }];
  });
}

function countOf(key: SearchKey, keys: readonly SearchKey[]): number {
  return keys.filter((each) => isSame(each, key)).length;
}

function isSame(a: SearchKey, b: SearchKey): boolean {
  return a.column === b.column && equalBytes(a.bytes, b.bytes);
}

async function keyedEntries(index: PostgresSearchIndex, begin: bigint, end: bigint): Promise<KeyedEntry[]> {
  const entries = await entriesWithFacts(index, begin, end);
  return entries.map(({ index: place, facts }) => ({
    index: place,
    searchKeys: distinctKeys(keysOfFacts(facts)),
    names: searchNames(facts),
  }));
}

/** One page of entries, from `begin`. */
async function entriesWithFacts({ reader }: PostgresSearchIndex, begin: bigint, end: bigint) {
  const count = Number(end - begin < BigInt(PAGE) ? end - begin : BigInt(PAGE));
  const indexes = Array.from({ length: count }, (_, at) => begin + BigInt(at));
  const entries = await reader.entriesAt(indexes, FACTS_BYTES);
  const described: { readonly index: bigint; readonly facts: EntryFacts }[] = [];
  // One by one: those that must be read whole may have 10 MiB beside them each.
  for (const entry of entries) {
    const whole = tellsFacts(entry.extra, entry.extraLength) ? entry : (await reader.entries(entry.index, 1))[0];
    described.push({ index: entry.index, facts: describeStored(whole ?? entry) });
  }
  return described;
}
