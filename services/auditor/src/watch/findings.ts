import type { Report } from "../domain/alarm.ts";
import { Wrong } from "./log-watch.ts";

/** More at once are one disaster: who looks into it finds the others. */
const MOST_TOLD = 10;

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
