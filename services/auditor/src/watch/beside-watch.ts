import { countedEntries } from "@chancery/encoding";
import { type BesideEntry, missingFrom, readBeside, readSizeAndTime } from "../database/beside-entries.ts";
import { findStoredTree } from "../database/stored-log.ts";
import type { SettlingReport } from "../domain/alarm.ts";
import { openCheckpoint } from "../domain/checkpoint.ts";
import { Difference, subjectOf } from "../domain/difference.ts";
import { sha256, TILE_HASHES } from "../domain/merkle.ts";
import type { AuditedLog } from "../public/served-log.ts";
import { MISDATED, type SettledAlarms } from "../state/settled-alarms.ts";
import { DamagedPages } from "./damaged-pages.ts";
import { PAGE } from "./entry-pages.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogWatch } from "./log-watch.ts";
import type { StoredPlace } from "./stored-heads.ts";
import { Wrong } from "./wrong.ts";

/** Of entries that are seen for the first time, so many at once. */
const MOST = 4_096n;
/** Between the clocks of the log and its database. */
const APART_MS = 60_000n;
/** What an idle log's place in time is written again after. */
const REST_MS = 60_000n;
/** An entry with a wrong time has it for ever, and is an alarm for ever. */
const MOST_MISDATED = 1_000;
/** While the database is ahead of what is proven. */
const MOST_LOOKS = 200;
/** Between two looks at the newest attestations. */
const EXTRA_MS = 60_000n;
/** Pages of a look at what is old. */
const SOME = 4n;
const CURSOR = "beside";
const DAMAGED = "damaged beside";

/** What had come, by the database or a signed checkpoint, and when: what lies behind came later. */
interface Looked {
  readonly size: bigint;
  readonly now: bigint;
}

interface Misdated {
  readonly index: bigint;
  readonly time: bigint;
  readonly seen: bigint;
}

interface Memory {
  /** Of entries below it all is remembered: of whole pages by a hash, of the rest as it is. */
  readonly next: bigint;
  readonly tail: readonly BesideEntry[];
  /** The last that all of `next` was there at, and those after it; in their order. */
  readonly looks: readonly Looked[];
  readonly misdated: readonly Misdated[];
}

/**
 * What stands beside entries and is under no hash, as upstream's: their times, which clients of the v1 API take for when a
 * signature was made, so that whoever moves one makes an expired certificate look valid; and what is kept of attestations.
 * A time is held against when its entry came, and all is remembered as it came.
 */
export class BesideWatch {
  readonly #watch: LogWatch;
  readonly #place: StoredPlace;
  readonly #report: SettlingReport;
  readonly #settled: SettledAlarms;
  readonly #damaged: DamagedPages;
  #memory: Memory;
  #id: number | undefined;

  constructor(watch: LogWatch, place: StoredPlace, report: SettlingReport, settled: SettledAlarms) {
    this.#watch = watch;
    this.#place = place;
    this.#report = report;
    this.#settled = settled;
    this.#memory = parseMemory(watch.folder.cursor(CURSOR));
    this.#damaged = new DamagedPages(watch.folder.cursor(DAMAGED), (pages) => watch.folder.setCursor(DAMAGED, pages));
  }

  /** The newest, and those that came. */
  async checkNew(): Promise<void> {
    await this.#settled.endAlarms(this.#report);
    await this.#judge(`beside new entries of ${this.#watch.log.name}`, async (findings) => {
      const { next, tail, looks, misdated } = this.#memory;
      const signed = await this.#signedSize();
      const { size, now } = await readSizeAndTime(this.#place.db, await this.#logId());
      const current = { size: size > signed ? size : signed, now };
      await this.#judgeTail(now, findings);
      const came = await this.#readNew(findings);
      const dated = came.map(({ time }, at) => ({ index: next + BigInt(at), time, seen: now }));
      const wrong = dated.filter((entry) => isMisdated(entry, looks));
      const reached = next + BigInt(came.length);
      const needed = since(reached, [...looks, current]);
      const known = [...misdated, ...wrong].slice(0, MOST_MISDATED);
      await this.#remember([...tail, ...came], { next: reached, looks: needed, misdated: known });
      for (const entry of known) findings.add(this.#wrongOf(entry));
      findings.addMore(misdated.length + wrong.length - known.length);
      return `the times and attestations of ${countedEntries(reached)} are remembered, and those that came are of when they came`;
    });
  }

  /**
   * The largest tree that a signed checkpoint was seen of: its entries had come, also where a database that was set back has
   * them not. Of the database's own sizes only the present one counts: who can write there could otherwise state a large one
   * once, and date what comes later as he likes.
   */
  async #signedSize(): Promise<bigint> {
    const { folder, log, proven } = this.#watch;
    let largest = proven.size;
    for (const note of await folder.unproven()) {
      const size = sizeOf(note, log);
      if (size > largest) largest = size;
    }
    return largest;
  }

  /** Those that came, up to the first that is missing. */
  async #readNew(findings: Findings): Promise<BesideEntry[]> {
    const [{ next }, { size }] = [this.#memory, this.#watch.proven];
    const end = size < next + MOST ? size : next + MOST;
    if (end <= next) return [];
    const found = await readBeside(this.#place.db, await this.#logId(), [next, end], { withExtra: true });
    for (const difference of missingFrom(next, found)) findings.add(difference);
    const hole = found.indexOf(undefined);
    return found.slice(0, hole < 0 ? found.length : hole).filter((entry) => entry !== undefined);
  }

  /** That times and attestations of a whole page are what they were; those that are not remembered will be. */
  async checkPage(page: bigint): Promise<void> {
    if (page < BigInt(this.#watch.folder.beside.count)) await this.#checkPages([page]);
  }

  /** The next few whole pages, again and again, and those that were not what they were. */
  async checkSome(): Promise<void> {
    const count = BigInt(this.#watch.folder.beside.count);
    const pages: bigint[] = [];
    for (let at = 0n; at < SOME && at < count; at++) {
      this.#nextPage = this.#nextPage < count ? this.#nextPage : 0n;
      pages.push(this.#nextPage++);
    }
    if (pages.length > 0) await this.#checkPages(pages);
  }
  #nextPage = 0n;

  async #checkPages(pages: readonly bigint[]): Promise<void> {
    await this.#judge(`beside old entries of ${this.#watch.log.name}`, async (findings) => {
      await this.#damaged.look(pages, findings, (page, found) => this.#judgePage(page, found));
      const end = ((pages.at(-1) ?? 0n) + 1n) * PAGE;
      return `up to entry ${end - 1n}, times and attestations are what they were`;
    });
  }

  async #judgePage(page: bigint, findings: Findings): Promise<void> {
    const { folder, log } = this.#watch;
    const [first, end] = [page * PAGE, (page + 1n) * PAGE];
    const found = await readBeside(this.#place.db, await this.#logId(), [first, end], { withExtra: true });
    const missing = missingFrom(first, found);
    for (const difference of missing) findings.add(difference);
    if (missing.length > 0) return;
    const there = found.filter((entry) => entry !== undefined);
    const remembered = await folder.beside.read(Number(page), Number(page) + 1);
    if (Buffer.compare(remembered, hashOf(there)) === 0) return;
    const what = `a time of the entries ${first} to ${end - 1n} of ${log.name}, or what is kept beside one, is another than it was`;
    const evidence = { found: there.map(format), remembered: remembered.toHex() };
    findings.add(new Wrong("changed-beside", what, evidence, `${log.name} beside page ${page}`));
  }

  async #judgeTail(now: bigint, findings: Findings): Promise<void> {
    const { next, tail } = this.#memory;
    if (tail.length === 0) return;
    const withExtra = now - this.#extraAt > EXTRA_MS;
    const first = next - BigInt(tail.length);
    const found = await readBeside(this.#place.db, await this.#logId(), [first, next], { withExtra });
    for (const difference of missingFrom(first, found)) findings.add(difference);
    let isSame = true;
    for (const [at, before] of tail.entries()) {
      const entry = found[at];
      if (entry === undefined) continue;
      const name = `entry ${first + BigInt(at)} of ${this.#watch.log.name}`;
      if (before.time !== entry.time) {
        const what = `${name}: its time was ${shown(before.time)} and is ${shown(entry.time)}`;
        findings.add(new Wrong("changed-beside", what, undefined, `time of ${name}`));
      }
      if (!withExtra || before.extra === entry.extra) continue;
      isSame = false;
      const what = `${name}: what is kept of its attestation is another than it was`;
      findings.add(new Wrong("changed-beside", what, undefined, `attestation of ${name}`));
    }
    // One that is not what it was is looked at with each look until it is.
    if (withExtra && isSame) this.#extraAt = now;
  }
  #extraAt = 0n;

  async #logId(): Promise<number> {
    return (this.#id ??= (await findStoredTree(this.#place.db, this.#place.name)).id);
  }

  /** `kept` are those up to `next`, from where a page begins. */
  async #remember(kept: readonly BesideEntry[], memory: Omit<Memory, "tail">): Promise<void> {
    const { beside } = this.#watch.folder;
    const { next, looks, misdated } = memory;
    const whole = Math.floor(kept.length / TILE_HASHES);
    const pages = Array.from({ length: whole }, (_, at) => kept.slice(at * TILE_HASHES, (at + 1) * TILE_HASHES));
    await beside.write(beside.count, Buffer.concat(pages.map(hashOf)));
    beside.accept(beside.count + whole);
    const before = this.#memory;
    const now = looks.at(-1)?.now ?? 0n;
    const isNew = next !== before.next || misdated.length !== before.misdated.length;
    this.#memory = { ...memory, tail: kept.slice(whole * TILE_HASHES) };
    if (!isNew && now - this.#writtenAt <= REST_MS) return;
    this.#writtenAt = now;
    await this.#watch.folder.setCursor(CURSOR, formatMemory(this.#memory));
  }
  #writtenAt = 0n;

  #wrongOf({ index, time, seen }: Misdated): Wrong {
    const what = `entry ${index} of ${this.#watch.log.name} has the time ${shown(time)}, and came at ${shown(seen)} or shortly before`;
    const evidence = { index: String(index), time: String(time), seen: String(seen) };
    return new Wrong("changed-beside", what, evidence, `${MISDATED}${index} of ${this.#watch.log.name}`);
  }

  async #judge(check: string, work: (findings: Findings) => Promise<string>): Promise<void> {
    await judgeAll(check, work, {
      report: this.#report,
      couldNot: `what stands beside entries of ${this.#watch.log.name} could not be read`,
      wrongOf: ({ message, place }) => {
        const { name } = this.#watch.log;
        return new Wrong("changed-entry", message, undefined, subjectOf(name, place));
      },
      isSettled: ({ trouble, message }) => this.#settled.has(trouble, message),
      goneBack: () => this.#watch.goneBack(),
    });
  }
}

/** A file that was damaged bounds nothing; that it is damaged is told by the check of unproven checkpoints. */
function sizeOf(note: Uint8Array, { identity }: AuditedLog): bigint {
  try {
    return openCheckpoint(note, identity).size;
  } catch (error) {
    if (error instanceof Difference) return 0n;
    throw error;
  }
}

/** What was not there at a look has a time after it. */
function isMisdated({ index, time, seen }: Misdated, looks: readonly Looked[]): boolean {
  const before = looks.findLast(({ size }) => size <= index);
  return time > seen + APART_MS || (before !== undefined && time < before.now - APART_MS);
}

/** What is needed to judge the entries from `next` on. */
function since(next: bigint, looks: readonly Looked[]): readonly Looked[] {
  const first = looks.findLastIndex(({ size }) => size <= next);
  const needed = looks.slice(Math.max(0, first));
  return needed.length > MOST_LOOKS ? needed.filter((_, at) => at % 2 === 0) : needed;
}

function shown(time: bigint): string {
  const date = new Date(Number(time));
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString();
}

/** Of 256 entries. */
function hashOf(entries: readonly BesideEntry[]): Uint8Array {
  return sha256(Buffer.from(entries.map(format).join()));
}

function format({ time, extra }: BesideEntry): string {
  return extra === "" ? String(time) : `${time}:${extra}`;
}

function parse(text: string): BesideEntry {
  const [time = "0", extra = ""] = text.split(":");
  return { time: BigInt(time), extra };
}

function formatMemory({ next, tail, looks, misdated }: Memory): string {
  const parts = [
    String(next),
    tail.map(format).join(","),
    looks.map(({ size, now }) => `${size},${now}`).join(";"),
    misdated.map(({ index, time, seen }) => `${index},${time},${seen}`).join(";"),
  ];
  return parts.join("/");
}

function parseMemory(text: string | undefined): Memory {
  const [next = "0", tail = "", looks = "", misdated = ""] = text?.split("/") ?? [];
  return {
    next: BigInt(next),
    tail: tail.split(",").filter(Boolean).map(parse),
    looks: lists(looks).map(([size = 0n, now = 0n]) => ({ size, now })),
    misdated: lists(misdated).map(([index = 0n, time = 0n, seen = 0n]) => ({ index, time, seen })),
  };
}

function numbers(list: string): bigint[] {
  return list.split(",").filter(Boolean).map(BigInt);
}

function lists(list: string): bigint[][] {
  return list.split(";").filter(Boolean).map(numbers);
}
