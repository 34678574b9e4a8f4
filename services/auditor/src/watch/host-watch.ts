import { statfs } from "node:fs/promises";
import type { Queryable } from "@chancery/postgres";
import type { Report } from "../domain/alarm.ts";
import { HttpLog, WATCHING, type Way } from "../public/http-log.ts";
import { awayFinding } from "./away.ts";
import { messageOf } from "./wrong.ts";

const GIB = 2 ** 30;
/** Both must be so: a tenth of a large disk is a year's entries. */
const LOW = { share: 0.2, bytes: 20 * GIB };
const NEARLY_FULL = { share: 0.1, bytes: 5 * GIB };
/** The header of an answer tells whole seconds, and was written some time before it came. */
const HEADER_MS = 2_500;
const DATABASE_MS = 1_500;
/** How far the wall clock may run from the machine's own count between two looks. */
const STEP_MS = 1_500;
/** What chrony's makestep or a machine that was suspended for a moment does. */
const SMALL_STEP_MS = 60_000;
const UNREACHABLE_MS = 60_000;

interface Around {
  readonly way: Way;
  readonly report: Report;
  readonly now: () => number;
  /** Milliseconds that nobody can set. */
  readonly elapsed: () => number;
  readonly db: Queryable | undefined;
  /** Folders on disks that must not fill up. */
  readonly folders: readonly string[];
}

/** The clock, against every other that there is, and the disks. */
export class HostWatch {
  readonly #server: HttpLog;
  readonly #around: Around;
  #last: { readonly now: number; readonly elapsed: number } | undefined;

  constructor(url: string, around: Around) {
    this.#server = new HttpLog(url, { ...WATCHING, ...around.way });
    this.#around = around;
  }

  async check(): Promise<void> {
    await this.#checkClock();
    await this.#checkDisks();
  }

  async #checkClock(): Promise<void> {
    const { report } = this.#around;
    try {
      const stepped = this.#stepped();
      if (stepped?.isSmall === true) return await report.failed("clock", { trouble: "clock-step", what: stepped.what });
      const off = [stepped?.what, await this.#offServer(), await this.#offDatabase()];
      const wrong = off.filter((what) => what !== undefined).join("; ");
      if (wrong === "") report.passed("clock", "every clock that can be asked tells the same time");
      else await report.failed("clock", { trouble: "clock", what: wrong });
    } catch (error) {
      const away = { toleratedMs: UNREACHABLE_MS, beside: "database" } as const;
      await report.failed("clock", awayFinding("the clocks could not be compared", error, away));
    }
  }

  #stepped(): { readonly what: string; readonly isSmall: boolean } | undefined {
    const [now, elapsed] = [this.#around.now(), this.#around.elapsed()];
    const last = this.#last;
    this.#last = { now, elapsed };
    const step = last === undefined ? 0 : now - last.now - (elapsed - last.elapsed);
    if (Math.abs(step) <= STEP_MS) return undefined;
    const what = `this machine's clock was set by ${(step / 1000).toFixed(1)} s`;
    return { what, isSmall: Math.abs(step) < SMALL_STEP_MS };
  }

  async #offServer(): Promise<string | undefined> {
    const before = this.#around.now();
    const time = await this.#server.time();
    const after = this.#around.now();
    if (time === undefined) return undefined;
    const off = time < before - HEADER_MS ? time - before : time > after + HEADER_MS ? time - after : 0;
    return off === 0 ? undefined : `the installation's clock is ${(off / 1000).toFixed(1)} s off this one`;
  }

  async #offDatabase(): Promise<string | undefined> {
    const before = this.#around.now();
    const rows = await this.#around.db?.query<{ time: string }>(
      "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS time",
    );
    const after = this.#around.now();
    const time = Number(rows?.[0]?.time ?? before);
    const off = time < before - DATABASE_MS ? time - before : time > after + DATABASE_MS ? time - after : 0;
    return off === 0 ? undefined : `the database's clock is ${(off / 1000).toFixed(1)} s off this one`;
  }

  async #checkDisks(): Promise<void> {
    const { report, folders } = this.#around;
    for (const folder of folders) {
      const check = `disk of ${folder}`;
      try {
        const { bavail, blocks, bsize } = await statfs(folder);
        const [free, share] = [bavail * bsize, bavail / Math.max(1, blocks)];
        const told = `${(free / GIB).toFixed(1)} GiB, ${Math.round(share * 100)} %, are free on the disk of ${folder}`;
        const isLow = [LOW, NEARLY_FULL].some((bound) => share < bound.share && free < bound.bytes);
        if (isLow) await report.failed(check, { trouble: "disk", what: `only ${told}` });
        else report.passed(check, told);
      } catch (error) {
        report.unknown(check, messageOf(error));
      }
    }
  }
}
