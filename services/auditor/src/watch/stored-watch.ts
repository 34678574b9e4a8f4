import { countedEntries } from "@chancery/encoding";
import type { Queryable } from "@chancery/postgres";
import { checkDatabase, type DatabaseCheck } from "../database/check-database.ts";
import { checkStoredTip } from "../database/check-tip.ts";
import { findStoredTree } from "../database/stored-log.ts";
import type { Report } from "../domain/alarm.ts";
import { describePlace, Difference, type Found, subjectOf } from "../domain/difference.ts";
import type { Trouble } from "../domain/troubles.ts";
import { awayFinding } from "./away.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogWatch } from "./log-watch.ts";
import { readHeads, type StoredPlace } from "./stored-heads.ts";
import { Unchecked, Wrong } from "./wrong.ts";

/** What was committed is signed and published a moment later. */
const UNPUBLISHED_MS = 30_000;

/** One log's rows and anchor beside what it shows: heads in their order, the right edge, and all of it again and again. */
export class StoredWatch {
  readonly #watch: LogWatch;
  readonly #place: StoredPlace;
  readonly #report: Report;
  readonly #now: () => number;
  #behindSince: number | undefined;

  constructor(watch: LogWatch, place: StoredPlace, around: { readonly report: Report; readonly now: () => number }) {
    this.#watch = watch;
    this.#place = place;
    this.#report = around.report;
    this.#now = around.now;
  }

  /** Read in this order, each may only be ahead of the one before. */
  async checkHeads(): Promise<void> {
    await this.#judge(`heads of ${this.#place.name}`, async () => {
      const { proven } = this.#watch;
      const shown = { by: "the served checkpoint", size: proven.size, root: proven.root };
      const { anchored, stored } = await readHeads(this.#place, shown);
      this.#requirePublished(stored);
      return `published <= anchor <= database holds at ${shown.size}, ${anchored ?? "-"}, ${stored}`;
    });
  }

  /** What is stored and never shown is a log that stands still. */
  #requirePublished(stored: bigint): void {
    const shown = this.#watch.shownSize;
    this.#behindSince = shown < stored && this.#lastShown === shown ? (this.#behindSince ?? this.#now()) : undefined;
    this.#lastShown = shown;
    if (this.#behindSince === undefined || this.#now() - this.#behindSince < UNPUBLISHED_MS) return;
    throw new Wrong(
      "stale",
      `${this.#place.name} holds ${countedEntries(stored)} and goes on showing a tree of ${shown}`,
    );
  }
  #lastShown = -1n;

  /** The rows of the newest entries, and of the tiles above them. */
  async checkTip(): Promise<void> {
    await this.#judgeAll(`stored tip of ${this.#watch.log.name}`, async (found) => {
      await checkStoredTip(this.#place.db, this.#place.name, this.#watch.proven, found);
      return `the newest rows are those that were proven`;
    });
  }

  /** All rows, at the pace of `db`. */
  async scrub(db: Queryable, signs: DatabaseCheck["signs"]): Promise<void> {
    const { log, head } = this.#watch;
    const key = log.identity.keys;
    await this.#judgeAll(`stored rows of ${log.name}`, async (found) => {
      const { name, anchor } = this.#place;
      const { origin } = log.identity;
      const { kind } = log;
      const { size } = await checkDatabase({ db, name, key, signs, kind, origin, anchor, proven: head, found });
      return `the tiles and the tables that entries are found by agree with all there is: ${countedEntries(size)}`;
    });
  }

  async #judgeAll(check: string, work: (found: Found) => Promise<string>): Promise<void> {
    const log = this.#watch.log.name;
    const looked = async (findings: Findings) => {
      const passed = await work((difference, unheld = 0) => {
        findings.add(difference);
        findings.addMore(unheld);
      });
      const back = findings.count === 0 ? undefined : await this.#goneBack();
      if (back === undefined) return passed;
      findings.forget();
      throw new Unchecked(back);
    };
    await judgeAll(check, looked, {
      report: this.#report,
      couldNot: `the database or anchor of ${log} cannot be read`,
      wrongOf: (difference) => this.#wrongOf(difference),
      goneBack: async () => undefined,
      common: () => this.#common(),
    });
  }

  #wrongOf(difference: Difference, otherwise: Trouble = "changed-state"): Wrong {
    const log = this.#watch.log.name;
    const { place, expected, found, message } = difference;
    const where = describePlace(place);
    const subject = subjectOf(log, place) ?? `${log} ${where}`;
    const evidence = { place: where, expected, found };
    return new Wrong(troubleOf(difference, otherwise), `${log} in the database, ${message}`, evidence, subject);
  }

  #common(): object {
    const { log, proven, folder } = this.#watch;
    return {
      log: log.name,
      proven: { size: proven.size, root: proven.root.toHex() },
      note: folder.memory?.note,
    };
  }

  /** Rows that are not there in an older database are no alarms of their own. */
  async #goneBack(): Promise<string | undefined> {
    const { db, name } = this.#place;
    const size = await findStoredTree(db, name).then(
      (tree) => tree.size,
      () => undefined,
    );
    const { proven } = this.#watch;
    if (size === undefined || size >= proven.size) return undefined;
    return `not checked: the database holds a tree of ${size}, and one of ${countedEntries(proven.size)} was proven (see "heads of ${name}")`;
  }

  async #judge(check: string, work: () => Promise<string>): Promise<void> {
    try {
      this.#report.passed(check, await work());
    } catch (error) {
      const log = this.#watch.log.name;
      const wrong = error instanceof Difference ? this.#wrongOf(error, "head-order") : error;
      if (wrong instanceof Wrong) {
        const back = error instanceof Difference ? await this.#goneBack() : undefined;
        if (back !== undefined) return this.#report.unknown(check, back);
        const { trouble, message: what, subject } = wrong;
        const evidence = { ...this.#common(), ...wrong.evidence };
        await this.#report.failed(check, { trouble, what, evidence, subject });
      } else {
        const couldNot = `the database or anchor of ${log} cannot be read`;
        await this.#report.failed(check, awayFinding(couldNot, error, { beside: "database" }));
      }
    }
  }
}

function troubleOf({ place }: Difference, otherwise: Trouble): Trouble {
  switch (place.kind) {
    case "entry":
      return place.field === "identity" ? "changed-index" : "changed-entry";
    case "tile":
      return "changed-tile";
    case "identity":
    case "leaf hash":
    case "search key":
      return "changed-index";
    default:
      return otherwise;
  }
}
