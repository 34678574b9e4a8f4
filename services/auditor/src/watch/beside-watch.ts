import { type BesideEntry, readBeside, readSizeAndTime } from "../database/beside-entries.ts";
import { findStoredTree } from "../database/stored-log.ts";
import type { Report } from "../domain/alarm.ts";
import { subjectOf } from "../domain/difference.ts";
import { sha256, TILE_HASHES } from "../domain/merkle.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogWatch } from "./log-watch.ts";
import type { StoredPlace } from "./stored-heads.ts";
import { Wrong } from "./wrong.ts";

const PAGE = BigInt(TILE_HASHES);
/** Of entries that are seen for the first time, so many at once. */
const MOST = 4_096n;
/** Between the clocks of the log and its database. */
const APART_MS = 60_000n;
/** What an idle log's place in time is written again after. */
const REST_MS = 60_000n;
/** An entry with a wrong time has it for ever; it is an alarm for a day. */
const TOLD_MS = 86_400_000n;
/** While the database is ahead of what is proven. */
const MOST_LOOKS = 200;
/** Between two looks at the newest attestations. */
const EXTRA_MS = 60_000n;
/** Pages of a look at what is old. */
const SOME = 4n;
const CURSOR = "beside";

/** What the database had at least, and when: what it did not have came later. */
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
  readonly #report: Report;
  #memory: Memory;
  #id: number | undefined;

  constructor(watch: LogWatch, place: StoredPlace, report: Report) {
    this.#watch = watch;
    this.#place = place;
    this.#report = report;
    this.#memory = parseMemory(watch.folder.cursor(CURSOR));
  }

  /** The newest, and those that came. */
  async checkNew(): Promise<void> {
    await this.#judge(`beside new entries of ${this.#watch.log.name}`, async (findings) => {
      const { next, tail, looks, misdated } = this.#memory;
      const { db } = this.#place;
      const id = await this.#logId();
      const current = await readSizeAndTime(db, id);
      await this.#expectTail(current.now);
      const { size } = this.#watch.proven;
      const end = size < next + MOST ? size : next + MOST;
      const came = end > next ? await readBeside(db, id, [next, end], { withExtra: true }) : [];
      const dated = came.map(({ time }, at) => ({ index: next + BigInt(at), time, seen: current.now }));
      const wrong = dated.filter((entry) => isMisdated(entry, looks));
      const open = [...misdated, ...wrong].filter(({ seen }) => current.now - seen < TOLD_MS);
      const reached = end > next ? end : next;
      const needed = since(reached, [...looks, current]);
      await this.#remember([...tail, ...came], { next: reached, looks: needed, misdated: open });
      for (const entry of open) findings.add(this.#wrongOf(entry));
      return `the times and attestations of ${reached} entries are remembered, and those that came are of when they came`;
    });
  }

  /** Resolves to whether times and attestations of a whole page are what they were; those that are not remembered will be. */
  async checkPage(page: bigint): Promise<boolean> {
    const { folder, log } = this.#watch;
    if (page >= BigInt(folder.beside.count)) return true;
    let isSame = false;
    await this.#judge(`beside old entries of ${log.name}`, async () => {
      const [first, end] = [page * PAGE, (page + 1n) * PAGE];
      const found = await readBeside(this.#place.db, await this.#logId(), [first, end], { withExtra: true });
      const remembered = await folder.beside.read(Number(page), Number(page) + 1);
      if (Buffer.compare(remembered, hashOf(found)) !== 0) {
        const what = `a time of the entries ${first} to ${end - 1n} of ${log.name}, or what is kept beside one, is another than it was`;
        throw new Wrong("changed-beside", what, { found: found.map(format), remembered: remembered.toHex() });
      }
      isSame = true;
      return `up to entry ${end - 1n}, times and attestations are what they were`;
    });
    return isSame;
  }

  /** The next few whole pages, again and again. One that is not what it was is looked at until it is. */
  async checkSome(): Promise<void> {
    const pages = BigInt(this.#watch.folder.beside.count);
    for (let count = 0n; count < SOME && count < pages; count++) {
      this.#nextPage = this.#nextPage < pages ? this.#nextPage : 0n;
      if (!(await this.checkPage(this.#nextPage))) return;
      this.#nextPage++;
    }
  }
  #nextPage = 0n;

  async #expectTail(now: bigint): Promise<void> {
    const { next, tail } = this.#memory;
    if (tail.length === 0) return;
    const withExtra = now - this.#extraAt > EXTRA_MS;
    const first = next - BigInt(tail.length);
    const found = await readBeside(this.#place.db, await this.#logId(), [first, next], { withExtra });
    for (const [at, { time, extra }] of found.entries()) {
      const before = tail[at];
      const name = `entry ${first + BigInt(at)} of ${this.#watch.log.name}`;
      if (before?.time !== time) {
        throw new Wrong("changed-beside", `${name}: its time was ${shown(before?.time ?? -1n)} and is ${shown(time)}`);
      }
      if (withExtra && before.extra !== extra) {
        throw new Wrong("changed-beside", `${name}: what is kept of its attestation is another than it was`);
      }
    }
    if (withExtra) this.#extraAt = now;
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
    return new Wrong("changed-beside", what, { index: String(index), time: String(time), seen: String(seen) });
  }

  async #judge(check: string, work: (findings: Findings) => Promise<string>): Promise<void> {
    await judgeAll(check, work, {
      report: this.#report,
      couldNot: `what stands beside entries of ${this.#watch.log.name} could not be read`,
      wrongOf: ({ message, place }) => {
        const { name } = this.#watch.log;
        return new Wrong("changed-entry", message, undefined, subjectOf(name, place));
      },
      goneBack: () => this.#watch.goneBack(),
    });
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
