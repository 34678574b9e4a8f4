import { noteText, openCheckpoint, type SignedHead } from "../domain/checkpoint.ts";
import type { AuditedLog } from "../public/served-log.ts";
import type { LogFolder } from "../state/log-folder.ts";
import type { Findings } from "./findings.ts";
import { Wrong } from "./wrong.ts";

/** A cache or a replica may be this far behind. */
export const BEHIND_MS = 20_000;

interface Around {
  readonly log: AuditedLog;
  readonly folder: LogFolder;
  readonly now: () => number;
  /** The main place, what is proven of what it shows, and since when, without a break, all of that was. */
  readonly shownBy: () => { readonly url: string; readonly size: bigint; readonly since: number | undefined };
  /** Throws unless its root is among what was proven. */
  readonly expectRoot: (head: SignedHead, note: Uint8Array) => Promise<void>;
}

/** Checkpoints that were seen anywhere and could not be proven at once: kept until they are, whatever is served meanwhile. */
export class UnprovenHeads {
  readonly #around: Around;
  /** Since when each waits. */
  readonly #waiting = new Map<string, number>();

  constructor(around: Around) {
    this.#around = around;
  }

  async judge(findings: Findings): Promise<string> {
    const { log, folder } = this.#around;
    for (const note of await folder.unproven()) await findings.collect(() => this.#judgeOne(note));
    const { dropped } = folder;
    if (dropped > 0) {
      const what = `so many checkpoints of ${log.name} wait to be proven that ${dropped} later ones were not kept`;
      findings.add(new Wrong("unproven", what, undefined, `${log.name} unproven checkpoints`));
    }
    return "every checkpoint that was ever seen is proven";
  }

  async #judgeOne(note: Uint8Array): Promise<void> {
    const { log, folder, now, shownBy, expectRoot } = this.#around;
    const head = openCheckpoint(note, log.identity);
    const since = this.#waiting.get(noteText(note)) ?? now();
    this.#waiting.set(noteText(note), since);
    const { url, size } = shownBy();
    if (head.size <= size) {
      await expectRoot(head, note);
      await folder.forgetUnproven(note);
      this.#waiting.delete(noteText(note));
    } else if (this.#isOverdue(since)) {
      const what = `a checkpoint of size ${head.size} was seen, and ${url} shows only ${size}`;
      throw new Wrong("split-view", what, { note: noteText(note) });
    }
  }

  /**
   * A larger tree was seen elsewhere, or here before. Only a place that shows all it has is behind: during an outage of the
   * database a checkpoint is answered from memory, and its tiles are not.
   */
  #isOverdue(since: number): boolean {
    const { now, shownBy } = this.#around;
    const current = shownBy().since;
    return current !== undefined && now() - Math.max(since, current) > BEHIND_MS;
  }
}
