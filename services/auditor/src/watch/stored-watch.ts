import type { Queryable } from "@chancery/postgres";
import { readAnchor } from "../database/anchor-file.ts";
import { checkDatabase, type DatabaseCheck } from "../database/check-database.ts";
import { checkStoredTip } from "../database/check-tip.ts";
import { findStoredCheckpoint, findStoredTree } from "../database/stored-log.ts";
import type { Report } from "../domain/alarm.ts";
import { describePlace, Difference } from "../domain/difference.ts";
import type { Trouble } from "../domain/troubles.ts";
import { type LogWatch, messageOf, Wrong } from "./log-watch.ts";

/** Where a log is kept, for an auditor who may look there. */
export interface StoredPlace {
  readonly db: Queryable;
  /** The log's name in the database. */
  readonly name: string;
  /** The folder of its anchor. */
  readonly anchor?: string | undefined;
}

const UNREACHABLE_MS = 30_000;
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
    await this.#judge(`heads of ${this.#watch.log.name}`, "head-order", async () => {
      const { db, name, anchor: directory } = this.#place;
      const { proven } = this.#watch;
      const shown = { by: "the served checkpoint", size: proven.size, root: proven.root };
      const published = await findStoredCheckpoint(db, name);
      const anchored = directory === undefined ? undefined : await readAnchor(directory);
      const tree = await findStoredTree(db, name);
      const heads = [
        { by: "the stored checkpoint", ...published },
        ...(directory === undefined ? [] : [{ by: "the anchor", ...anchored }]),
        { by: "the database", size: tree.size, root: tree.root },
      ];
      let before = shown;
      for (const { by, size, root } of heads) {
        if (size === undefined || root === undefined) throw new Wrong("head-order", `${by} of ${name} is gone`);
        if (size < before.size)
          throw new Wrong("head-order", `${by} of ${name} is at ${size}, ${before.by} at ${before.size}`);
        if (size === before.size && Buffer.compare(root, before.root) !== 0) {
          throw new Wrong("fork", `${by} of ${name} has another root at size ${size} than ${before.by}`);
        }
        before = { by, size, root };
      }
      this.#requirePublished(proven.size, tree.size);
      return `published <= anchor <= database holds at ${proven.size}, ${anchored?.size ?? "-"}, ${tree.size}`;
    });
  }

  /** What is stored and never shown is a log that stands still. */
  #requirePublished(shown: bigint, stored: bigint): void {
    this.#behindSince = shown < stored && this.#lastShown === shown ? (this.#behindSince ?? this.#now()) : undefined;
    this.#lastShown = shown;
    if (this.#behindSince === undefined || this.#now() - this.#behindSince < UNPUBLISHED_MS) return;
    throw new Wrong("stale", `${this.#place.name} holds ${stored} entries and goes on showing a tree of ${shown}`);
  }
  #lastShown = -1n;

  /** The rows of the newest entries, and of the tiles above them. */
  async checkTip(): Promise<void> {
    await this.#judge(`stored tip of ${this.#watch.log.name}`, "changed-state", async () => {
      await checkStoredTip(this.#place.db, this.#place.name, this.#watch.proven);
      return `the newest rows are those that were proven`;
    });
  }

  /** All rows, at the pace of `db`. */
  async scrub(db: Queryable, signs: DatabaseCheck["signs"]): Promise<void> {
    const { log, head } = this.#watch;
    const key = log.identity.keys;
    await this.#judge(`stored rows of ${log.name}`, "changed-state", async () => {
      const { name, anchor } = this.#place;
      const { origin } = log.identity;
      const { size } = await checkDatabase({ db, name, key, signs, origin, anchor, proven: head });
      return `all ${size} entries, their tiles and the tables they are found by agree`;
    });
  }

  async #judge(check: string, otherwise: Trouble, work: () => Promise<string>): Promise<void> {
    try {
      this.#report.passed(check, await work());
    } catch (error) {
      const log = this.#watch.log.name;
      const proven = { size: this.#watch.proven.size, root: this.#watch.proven.root.toHex() };
      const common = { log, proven, note: this.#watch.folder.memory?.note };
      if (error instanceof Wrong) {
        await this.#report.failed(check, { trouble: error.trouble, what: error.message, evidence: common });
      } else if (error instanceof Difference) {
        const { place, expected, found } = error;
        await this.#report.failed(check, {
          trouble: troubleOf(error, otherwise),
          what: `${log} in the database, ${error.message}`,
          evidence: { ...common, place: describePlace(place), expected, found },
        });
      } else {
        await this.#report.failed(check, {
          trouble: "unreachable",
          what: `the database or anchor of ${log} cannot be read: ${messageOf(error)}`,
          toleratedMs: UNREACHABLE_MS,
        });
      }
    }
  }
}

function troubleOf({ place }: Difference, otherwise: Trouble): Trouble {
  switch (place.kind) {
    case "entry":
      return "changed-entry";
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
