import { countedEntries } from "@chancery/encoding";
import type { Report } from "../domain/alarm.ts";
import type { SignedHead } from "../domain/checkpoint.ts";
import type { ServedLog } from "../public/served-log.ts";
import type { LogFolder } from "../state/log-folder.ts";
import { Wrong } from "./wrong.ts";

/** An idle CT log signs its head anew every hour; RFC 6962 knows logs by that. */
const TREE_HEAD_MS = 90 * 60_000;
/** Clocks of two machines. */
const AHEAD_MS = 60_000;
/** Between two questions whether a log is frozen. */
const ASK_MS = 60_000;
const CURSOR = "frozen";

interface Around {
  readonly log: string;
  readonly folder: LogFolder;
  readonly report: Report;
  readonly now: () => number;
  /** Whether somebody else than the server says so too: the log's own rows and its anchor, or an operator who settled just this. */
  readonly isMeant?: ((what: string) => Promise<boolean>) | undefined;
}

/**
 * How old a signed tree head may be. A head that nobody renews is of a log that is dead, or of one that is frozen, says so,
 * and is held to that for ever after. Its word alone is told until somebody else gives it too.
 */
export class TreeHeadAge {
  readonly #around: Around;
  #frozen: { readonly size: bigint; readonly time: bigint } | undefined;
  #askedAt = -Infinity;
  #answer = false;

  constructor(around: Around) {
    this.#around = around;
    const [size, time] = around.folder.cursor(CURSOR)?.split("/") ?? [];
    if (size !== undefined && time !== undefined) this.#frozen = { size: BigInt(size), time: BigInt(time) };
  }

  /** Resolves to what is to be said beside; throws what is Wrong. */
  async judge({ size, time }: SignedHead, served: ServedLog): Promise<string> {
    const { log, now } = this.#around;
    if (time === undefined) return "";
    if (this.#frozen !== undefined && (size > this.#frozen.size || time > this.#frozen.time)) {
      throw new Wrong(
        "changed-state",
        `${log} was frozen for ever at ${countedEntries(this.#frozen.size)}, and signs again`,
      );
    }
    const age = now() - Number(time);
    const what = `the tree head of ${log} was signed ${Math.round(age / 1000)} s ago by this clock`;
    if (age < -AHEAD_MS) throw new Wrong("clock", what);
    if (age <= TREE_HEAD_MS) return "";
    if (!(await this.#isFrozen(served, { size, time }))) throw new Wrong("stale", what);
    return `; the log is frozen, and this its last tree head is of ${new Date(Number(time)).toISOString()}`;
  }

  async #isFrozen(served: ServedLog, head: { readonly size: bigint; readonly time: bigint }): Promise<boolean> {
    const { log, folder, report, now, isMeant = async () => false } = this.#around;
    if (Math.abs(now() - this.#askedAt) < ASK_MS) return this.#answer;
    this.#askedAt = now();
    // Who does not say so is not frozen.
    this.#answer = await served.isFrozen().catch(() => false);
    if (!this.#answer) return false;
    const check = `freeze of ${log}`;
    const what = `${log} says that it is frozen, with ${countedEntries(head.size)}`;
    // Nothing that is signed says so: who stops a log from growing could say it as well.
    const isTold = this.#frozen !== undefined && (await isMeant(what));
    if (isTold) report.passed(check, what);
    else await report.failed(check, { trouble: "frozen", what });
    this.#frozen = head;
    await folder.setCursor(CURSOR, `${head.size}/${head.time}`);
    return true;
  }
}
