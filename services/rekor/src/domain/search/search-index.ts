import { setImmediate } from "node:timers/promises";
import { sha256 } from "@chancery/crypto";
import { encodeHex, equalBytes, utf8 } from "@chancery/encoding";
import { distinctKeys, type KeyedEntry, type PostgresSearchIndex, type SearchKey } from "@chancery/log";
import { TILE_WIDTH } from "@chancery/tlog";
import { entryKeys, searchNames, textKeys } from "../search-key.ts";
import { DamagedEntries, type DamagedStretches } from "./damaged-entries.ts";
import { describeStored } from "./describe-stored.ts";
import type { EntryFacts } from "./entry-facts.ts";
import { damageOfPage, type VouchedTree } from "./held-page.ts";
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

/** What was found of entries that are in the tree. Of others nothing is, for their rows may be right and they are not. */
export interface IndexVerdict {
  readonly damaged: DamagedStretches;
  /** The first ones. */
  readonly differences: readonly IndexDifference[];
}

export interface Rebuilt {
  /** Of so many entries something was missing. */
  readonly added: bigint;
  /** For these nothing was written. */
  readonly damaged: DamagedStretches;
}

/** The entries of one lowest hash tile. */
const PAGE = TILE_WIDTH;
const FACTS_BYTES = 4_096;
/** 16 MB of sums. A log of more entries reads the table of keys once for each such window. */
const WINDOW = 2 ** 21;
const MOST_DIFFERENCES = 10;

/** What entries are found by, from nothing but what is stored of them. */
export function keysOfFacts(facts: EntryFacts): SearchKey[] {
  return entryKeys(searchTextsOf(facts), facts);
}

/**
 * Adds what is missing, of every entry of the tree. The log may be in use. An entry that is not the one in the tree would be
 * found from then on by what somebody else wrote: nothing is added for it, and the index is not whole before it is mended.
 */
export async function rebuildIndex(
  index: PostgresSearchIndex,
  tree: VouchedTree,
  progress: IndexProgress,
): Promise<Rebuilt> {
  const damaged = new DamagedEntries();
  let added = 0n;
  for (let begin = 0n; begin < tree.size; begin += BigInt(PAGE)) {
    const page = await heldPage(index, tree, begin);
    damaged.add(page.damage);
    added += BigInt(await index.complete(page.entries.map(keyed)));
    progress("entries", begin, tree.size);
    await setImmediate();
  }
  if (damaged.count === 0n) await index.noteRebuilt(tree.size);
  return { added, damaged };
}

/**
 * The first differences between what is stored and what should be, none where all is well. Entries before `judgedFrom` are
 * held against the tree alone.
 */
export async function verifyIndex(
  index: PostgresSearchIndex,
  tree: VouchedTree,
  progress: IndexProgress,
  judgedFrom = 0n,
): Promise<IndexVerdict> {
  const { size } = tree;
  const damaged = new DamagedEntries();
  const differences: IndexDifference[] = [];
  for (let begin = 0n; begin < size && differences.length < MOST_DIFFERENCES; begin += BigInt(WINDOW)) {
    const end = begin + BigInt(WINDOW) < size ? begin + BigInt(WINDOW) : size;
    differences.push(...(await verifyWindow(index, { begin, end, judgedFrom, tree, damaged }, progress)));
  }
  // One that no row has may be of an entry that is not there as it was.
  if (damaged.count === 0n) differences.push(...(await unusedNames(index)));
  return { damaged, differences: differences.slice(0, MOST_DIFFERENCES) };
}

async function unusedNames(index: PostgresSearchIndex): Promise<IndexDifference[]> {
  const differences: IndexDifference[] = [];
  for await (const page of index.names()) {
    for (const { name, used } of page) {
      if (!used) differences.push({ index: undefined, what: `the name ${JSON.stringify(name)} is of no entry` });
    }
    if (differences.length >= MOST_DIFFERENCES) break;
  }
  return differences;
}

interface Window {
  readonly begin: bigint;
  readonly end: bigint;
  readonly judgedFrom: bigint;
  readonly tree: VouchedTree;
  readonly damaged: DamagedEntries;
}

/**
 * Each entry's keys are added up as numbers, those that it should have and those that are stored, so that neither has to
 * be kept nor looked up one by one. Where the sums are not equal the entry is looked at.
 */
async function verifyWindow(
  index: PostgresSearchIndex,
  { begin, end, judgedFrom, tree, damaged }: Window,
  progress: IndexProgress,
): Promise<IndexDifference[]> {
  const sums = new BigUint64Array(Number(end - begin));
  const isLeftOut = new Uint8Array(sums.length);
  if (judgedFrom > begin) isLeftOut.fill(1, 0, Number((judgedFrom < end ? judgedFrom : end) - begin));
  const differences: IndexDifference[] = [];
  for (let at = begin; at < end; at += BigInt(PAGE)) {
    const { entries: held, damage } = await heldPage(index, tree, at);
    damaged.add(damage);
    for (const { first, end: last } of damage) isLeftOut.fill(1, Number(first - begin), Number(last - begin));
    const entries = held.map(keyed);
    for (const { index: place, searchKeys } of entries) add(sums, place - begin, searchKeys, 1n);
    const judged = entries.filter(({ index: place }) => place >= judgedFrom);
    differences.push(...(await missingNames(index, judged)));
    progress("entries", at, tree.size);
    await setImmediate();
  }
  for await (const { rows, done, total } of index.rows()) {
    for (const { index: place, searchKeys } of rows) {
      if (place >= begin && place < end) add(sums, place - begin, searchKeys, -1n);
    }
    progress("keys", BigInt(done), BigInt(total));
  }
  const other = [...sums.keys()].filter((at) => sums[at] !== 0n && isLeftOut[at] === 0).slice(0, MOST_DIFFERENCES);
  differences.push(
    ...(await tell(
      index,
      tree,
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
async function tell(
  index: PostgresSearchIndex,
  tree: VouchedTree,
  places: readonly bigint[],
): Promise<IndexDifference[]> {
  if (places.length === 0) return [];
  const stored = new Map<bigint, SearchKey[]>(places.map((place) => [place, []]));
  for await (const { rows } of index.rows()) {
    for (const { index: place, searchKeys } of rows) stored.get(place)?.push(...searchKeys);
  }
  const differences: IndexDifference[] = [];
  for (const place of places) {
    const { entries } = await heldPage(index, tree, place - (place % BigInt(PAGE)));
    const entry = entries.find((one) => one.index === place);
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

interface DescribedEntry {
  readonly index: bigint;
  readonly facts: EntryFacts;
}

function keyed({ index, facts }: DescribedEntry): KeyedEntry {
  return { index, searchKeys: distinctKeys(keysOfFacts(facts)), names: searchNames(facts) };
}

/** The entries of the lowest tile that begins at `begin`, those that are in the tree, and which are not. */
async function heldPage({ reader }: PostgresSearchIndex, tree: VouchedTree, begin: bigint) {
  const left = tree.size - begin;
  const count = Number(left < BigInt(PAGE) ? left : BigInt(PAGE));
  const indexes = Array.from({ length: count }, (_, at) => begin + BigInt(at));
  const read = await reader.entriesAt(indexes, FACTS_BYTES);
  const leaves = new Map(read.map(({ index, leaf }) => [index, leaf]));
  const damage = await damageOfPage(
    reader,
    tree,
    begin,
    indexes.map((index) => leaves.get(index)),
  );
  const entries: DescribedEntry[] = [];
  // One by one: those that must be read whole may have 10 MiB beside them each.
  for (const { index, leaf, extra: part, extraLength } of read) {
    if (damage.some(({ first, end }) => first <= index && index < end)) continue;
    const whole = tellsFacts(part, extraLength) ? undefined : (await reader.entries(index, 1))[0];
    // The leaf that was held against the tree: what is read later may be another.
    entries.push({ index, facts: describeStored({ index, leaf, extra: whole?.extra ?? part }) });
  }
  return { entries, damage };
}
