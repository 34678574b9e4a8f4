import type { Report } from "../domain/alarm.ts";
import type { Findings } from "./findings.ts";

/** Between two pages, given what one took, and whether nothing was said since the start of what they are pages of. */
export type Pause = (spentMs: number, isFirst: boolean) => Promise<void>;

interface Around {
  readonly check: string;
  readonly report: Pick<Report, "unknown">;
  readonly pause: Pause;
}

/** Rounds through all there is. Before the first has come to its end nobody sees green: it takes less time, and how far it is is told. */
export class Rounds {
  readonly #around: Around;
  #begun = 0;
  #isFirst = true;
  /** Of the round that was begun last. */
  #findings: Findings | undefined;
  #hadFailed = false;

  constructor(around: Around) {
    this.#around = around;
  }

  begin(findings: Findings): void {
    this.#begun++;
    this.#hadFailed = this.#findings?.hasFailed ?? false;
    this.#findings = findings;
  }

  /** After a page that is not the last. */
  async rest(spentMs: number, done: string, findings: Findings): Promise<void> {
    const { check, report, pause } = this.#around;
    // Of one that was cut off it is told why.
    if (this.#begun === 1 && findings.isClean)
      report.unknown(check, `${done} so far, in the first round since the start`);
    await findings.tellSoFar(this.#hadFailed);
    await pause(spentMs, this.#isFirst);
  }

  /** What it saw could be told. */
  end(): void {
    this.#isFirst = false;
  }
}
