import type { Report } from "../domain/alarm.ts";
import { messageOf, Wrong } from "./log-watch.ts";

/** More at once are one disaster: who looks into it finds the others. */
const MOST_TOLD = 10;
/** What is unreachable for less wakes nobody: a restart takes some seconds. */
const UNREACHABLE_MS = 30_000;

/** All that one look found, so that nothing hides behind what was found first. */
export class Findings {
  readonly #told: Wrong[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(wrong: Wrong): void {
    if (++this.#count <= MOST_TOLD) this.#told.push(wrong);
  }

  /** Resolves to whether nothing was found. What is no finding is thrown. */
  async collect(work: () => Promise<void> | void): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      this.add(error);
      return false;
    }
  }

  async tell(report: Report, check: string): Promise<void> {
    const others = this.#count - this.#told.length;
    for (const { trouble, message, evidence } of this.#told) {
      const what = message;
      await report.failed(check, { trouble, what, evidence: { ...evidence, others }, isOneOfMany: true });
    }
  }
}

/**
 * One look: passed with what `work` answers if it found nothing, else every finding is told. Anything else that it throws
 * means that it `couldNot` be done.
 */
export async function judgeAll(
  check: string,
  work: (findings: Findings) => Promise<string>,
  {
    report,
    couldNot,
    wrongOf,
  }: {
    readonly report: Report;
    readonly couldNot: string;
    readonly wrongOf?: (error: unknown) => Wrong | undefined;
  },
): Promise<void> {
  const findings = new Findings();
  try {
    const passed = await work(findings);
    if (findings.count === 0) report.passed(check, passed);
  } catch (error) {
    const wrong = error instanceof Wrong ? error : wrongOf?.(error);
    if (wrong !== undefined) findings.add(wrong);
    else {
      const what = `${couldNot}: ${messageOf(error)}`;
      await report.failed(check, { trouble: "unreachable", what, toleratedMs: UNREACHABLE_MS });
    }
  }
  await findings.tell(report, check);
}
