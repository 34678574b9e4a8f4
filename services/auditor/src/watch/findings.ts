import type { Report } from "../domain/alarm.ts";
import { Difference } from "../domain/difference.ts";
import type { Trouble } from "../domain/troubles.ts";
import { Refused, Unanswered } from "../public/http-log.ts";
import { awayFinding } from "./away.ts";
import { Unchecked, Wrong } from "./wrong.ts";

/** More at once are one disaster: who looks into it finds the others. */
const MOST_TOLD = 10;
/** A server that refuses more than so many of one look does not serve. */
const MOST_REFUSED = 10;

/** Of bytes that are served otherwise than they were proven. */
const SERVED: ReadonlySet<Trouble> = new Set(["changed-entry", "changed-tile", "changed-index"]);

/** All that one look found, so that nothing hides behind what was found first. */
export class Findings {
  readonly #told: Wrong[] = [];
  readonly #wrongOf: (difference: Difference) => Wrong;
  #count = 0;
  #refused: Refused | undefined;
  #refusals = 0;

  constructor(wrongOf: (difference: Difference) => Wrong) {
    this.#wrongOf = wrongOf;
  }

  get count(): number {
    return this.#count;
  }

  add(wrong: Wrong): void {
    if (++this.#count <= MOST_TOLD) this.#told.push(wrong);
  }

  /** What was refused, so that it could not be looked at. */
  get refused(): Refused | undefined {
    return this.#refused;
  }

  /** Resolves to whether nothing was found. What is no finding is thrown. */
  async collect(work: () => Promise<void> | void, subject?: string): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      // A server that answers, and not this, may lack just this.
      if (error instanceof Refused && ++this.#refusals <= MOST_REFUSED) {
        this.#refused ??= error;
        return false;
      }
      const wrong = error instanceof Difference ? this.#wrongOf(error) : error;
      if (!(wrong instanceof Wrong)) throw error;
      const { trouble, message, evidence } = wrong;
      this.add(new Wrong(trouble, message, evidence, wrong.subject ?? subject));
      return false;
    }
  }

  /** Without what follows from the log's showing an older tree than was proven. */
  forgetServed(): void {
    const others = this.#told.filter(({ trouble }) => !SERVED.has(trouble));
    this.#count -= this.#told.length - others.length;
    this.#told.splice(0, Infinity, ...others);
  }

  async tell(report: Report, check: string): Promise<void> {
    const others = this.#count - this.#told.length;
    for (const { trouble, message, evidence, subject } of this.#told) {
      const what = message;
      await report.failed(check, { trouble, what, evidence: { ...evidence, others }, isOneOfMany: true, subject });
    }
  }
}

interface Look {
  readonly report: Report;
  readonly couldNot: string;
  readonly wrongOf: (difference: Difference) => Wrong;
  /** Why what is served cannot be held against what was proven. */
  readonly goneBack: () => Promise<string | undefined>;
}

/**
 * One look: passed with what `work` answers if it found nothing, else every finding is told. Anything else that it throws
 * means that it `couldNot` be done.
 */
export async function judgeAll(
  check: string,
  work: (findings: Findings) => Promise<string>,
  { report, couldNot, wrongOf, goneBack }: Look,
): Promise<void> {
  const findings = new Findings(wrongOf);
  let unknown: string | undefined;
  let away: unknown;
  try {
    const passed = await work(findings);
    away = findings.refused;
    if (findings.count === 0 && away === undefined) report.passed(check, passed);
  } catch (error) {
    const wrong = error instanceof Difference ? wrongOf(error) : error;
    if (wrong instanceof Wrong) findings.add(wrong);
    else if (wrong instanceof Unchecked) unknown = wrong.message;
    else away = wrong;
    away ??= findings.refused;
  }
  if (findings.count > 0 || away !== undefined) {
    const back = await goneBack();
    if (back !== undefined) findings.forgetServed();
    unknown = back ?? unknown;
  }
  await findings.tell(report, check);
  if (findings.count > 0) return;
  // Who does not answer at all is told by every look in the same words.
  if (away !== undefined && (unknown === undefined || away instanceof Unanswered)) {
    await report.failed(check, awayFinding(couldNot, away, { beside: "database" }));
  } else if (unknown !== undefined) report.unknown(check, unknown);
}
