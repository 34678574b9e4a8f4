import { readSizeAndTime, readTimes } from "../database/entry-times.ts";
import { findStoredTree } from "../database/stored-log.ts";
import type { Report } from "../domain/alarm.ts";
import { Difference } from "../domain/difference.ts";
import { sha256, TILE_HASHES } from "../domain/merkle.ts";
import { type Findings, judgeAll } from "./findings.ts";
import { type LogWatch, Wrong } from "./log-watch.ts";
import type { StoredPlace } from "./stored-watch.ts";

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
const CURSOR = "times";

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
  /** Entries below it have a remembered time: whole pages by a hash, the rest as they are. */
  readonly next: bigint;
  readonly tail: readonly bigint[];
  /** The last that all of `next` was there at, and those after it; in their order. */
  readonly looks: readonly Looked[];
  readonly misdated: readonly Misdated[];
}

/**
 * The times of entries, which no hash covers (as upstream's): clients of the v1 API take them for when a signature was made,
 * so whoever moves one makes an expired certificate look valid. Each is held against when it came, and remembered.
 */
export class TimeWatch {
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
    await this.#judge(`new times of ${this.#watch.log.name}`, async (findings) => {
      const { next, tail, looks, misdated } = this.#memory;
      const { db } = this.#place;
      const id = await this.#logId();
      const current = await readSizeAndTime(db, id);
      const first = next - BigInt(tail.length);
      const { size } = this.#watch.proven;
      const end = size < next + MOST ? size : next + MOST;
      const times = end > first ? await readTimes(db, id, first, end) : [];
      for (const [at, before] of tail.entries()) {
        const time = times[at];
        if (time === before) continue;
        throw new Wrong(
          "changed-time",
          `entry ${first + BigInt(at)} of ${this.#watch.log.name}, ${moved(before, time)}`,
        );
      }
      const came = times.slice(tail.length).map((time, at) => ({ index: next + BigInt(at), time, seen: current.now }));
      const wrong = came.filter((entry) => isMisdated(entry, looks));
      const open = [...misdated, ...wrong].filter(({ seen }) => current.now - seen < TOLD_MS);
      const reached = end > next ? end : next;
      await this.#remember({ next: reached, times, first, looks: since(reached, [...looks, current]), misdated: open });
      for (const entry of open) findings.add(this.#wrongOf(entry));
      return `the times of ${this.#memory.next} entries are remembered, and those that came are of when they came`;
    });
  }

  /** That the times of a whole page are what they were; those that are not remembered yet will be. */
  async checkPage(page: bigint): Promise<void> {
    if (page >= BigInt(this.#watch.folder.times.count)) return;
    await this.#judge(`old times of ${this.#watch.log.name}`, async () => {
      const [first, end] = [page * PAGE, (page + 1n) * PAGE];
      const times = await readTimes(this.#place.db, await this.#logId(), first, end);
      const remembered = await this.#watch.folder.times.read(Number(page), Number(page) + 1);
      if (Buffer.compare(remembered, hashOf(times)) !== 0) {
        const what = `a time of the entries ${first} to ${end - 1n} of ${this.#watch.log.name} is another than it was`;
        throw new Wrong("changed-time", what, { times: times.map(String), remembered: remembered.toHex() });
      }
      return `up to entry ${end - 1n}, times are what they were`;
    });
  }

  async #logId(): Promise<number> {
    return (this.#id ??= (await findStoredTree(this.#place.db, this.#place.name)).id);
  }

  async #remember(
    seen: Omit<Memory, "tail"> & { readonly times: readonly bigint[]; readonly first: bigint },
  ): Promise<void> {
    const { times: file } = this.#watch.folder;
    const { next, times, first, looks, misdated } = seen;
    const now = looks.at(-1)?.now ?? 0n;
    const whole = Number(next / PAGE - first / PAGE);
    const pages = Array.from({ length: whole }, (_, at) => times.slice(at * TILE_HASHES, (at + 1) * TILE_HASHES));
    await file.write(file.count, Buffer.concat(pages.map(hashOf)));
    file.accept(file.count + whole);
    const before = this.#memory;
    const isNew = next !== before.next || misdated.length !== before.misdated.length;
    this.#memory = { next, tail: times.slice(whole * TILE_HASHES), looks, misdated };
    if (!isNew && now - this.#writtenAt <= REST_MS) return;
    this.#writtenAt = now;
    await this.#watch.folder.setCursor(CURSOR, formatMemory(this.#memory));
  }
  #writtenAt = 0n;

  #wrongOf({ index, time, seen }: Misdated): Wrong {
    const what = `entry ${index} of ${this.#watch.log.name} has the time ${shown(time)}, and came at ${shown(seen)} or shortly before`;
    return new Wrong("changed-time", what, { index: String(index), time: String(time), seen: String(seen) });
  }

  async #judge(check: string, work: (findings: Findings) => Promise<string>): Promise<void> {
    await judgeAll(check, work, {
      report: this.#report,
      couldNot: `times of ${this.#watch.log.name} could not be read`,
      wrongOf: (error) => (error instanceof Difference ? new Wrong("changed-entry", error.message) : undefined),
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

function moved(before: bigint, time: bigint | undefined): string {
  return `its time was ${shown(before)} and is ${time === undefined ? "gone" : shown(time)}`;
}

function shown(time: bigint): string {
  const date = new Date(Number(time));
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString();
}

/** Of 256 times, eight octets each. */
function hashOf(times: readonly bigint[]): Uint8Array {
  return sha256(new Uint8Array(BigInt64Array.from(times).buffer));
}

function formatMemory({ next, tail, looks, misdated }: Memory): string {
  const parts = [
    String(next),
    tail.join(","),
    looks.map(({ size, now }) => `${size},${now}`).join(";"),
    misdated.map(({ index, time, seen }) => `${index},${time},${seen}`).join(";"),
  ];
  return parts.join("/");
}

function parseMemory(text: string | undefined): Memory {
  const [next = "0", tail = "", looks = "", misdated = ""] = text?.split("/") ?? [];
  const lists = (all: string) => all.split(";").filter(Boolean).map(numbers);
  return {
    next: BigInt(next),
    tail: numbers(tail),
    looks: lists(looks).map(([size = 0n, now = 0n]) => ({ size, now })),
    misdated: lists(misdated).map(([index = 0n, time = 0n, seen = 0n]) => ({ index, time, seen })),
  };
}

function numbers(list: string): bigint[] {
  return list.split(",").filter(Boolean).map(BigInt);
}
