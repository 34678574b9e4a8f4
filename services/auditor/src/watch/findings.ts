import type { Finding, Report } from "../domain/alarm.ts";
import { Difference } from "../domain/difference.ts";
import type { Trouble } from "../domain/troubles.ts";
import { Refused, Unanswered } from "../public/http-log.ts";
import { awayFinding } from "./away.ts";
import { Unchecked, Wrong } from "./wrong.ts";

/** Of a kind, so many are kept until the look ends, and told; of more it is told how many they are. */
const MOST_KEPT = 1_000;
/** An entry in the evidence may be large. */
const MOST_EVIDENCE = 20;
/** A server that refuses more than so many of one look does not serve. */
const MOST_REFUSED = 10;

/** Of what is otherwise, or gone, where an older database was put in the place of the one that was proven. */
const SERVED: ReadonlySet<Trouble> = new Set(["changed-entry", "changed-tile", "changed-index", "lost-ledger"]);

/** All that one look found, so that nothing hides behind what was found first. */
export class Findings {
  readonly #kept: Wrong[] = [];
  readonly #wrongOf: (difference: Difference) => Wrong;
  readonly #isSettled: (wrong: Wrong) => boolean;
  readonly #counts = new Map<Trouble, number>();
  #more = 0;
  #refused: Refused | undefined;
  #refusals = 0;
  readonly #mostRefused: number;

  constructor(
    wrongOf: (difference: Difference) => Wrong,
    isSettled: (wrong: Wrong) => boolean = () => false,
    mostRefused = MOST_REFUSED,
  ) {
    this.#wrongOf = wrongOf;
    this.#isSettled = isSettled;
    this.#mostRefused = mostRefused;
  }

  get count(): number {
    return this.#kept.length + this.#more;
  }

  /** What was refused, so that it could not be looked at. */
  get refused(): Refused | undefined {
    return this.#refused;
  }

  add(found: Wrong | Difference): void {
    const wrong = found instanceof Difference ? this.#wrongOf(found) : found;
    if (this.#isSettled(wrong)) return;
    const count = (this.#counts.get(wrong.trouble) ?? 0) + 1;
    this.#counts.set(wrong.trouble, count);
    if (count > MOST_KEPT) this.#more++;
    else this.#kept.push(wrong);
  }

  addMore(count: number): void {
    this.#more += count;
  }

  /** What a part of the look finds is not yet found. */
  ofPart(): Findings {
    return new Findings(this.#wrongOf, this.#isSettled);
  }

  first(most: number): readonly Wrong[] {
    return this.#kept.slice(0, most);
  }

  /** A server that answers, and not this, may lack just this. Throws where it refuses too much for that. */
  refuse(error: Refused): void {
    this.#refused ??= error;
    if (++this.#refusals > this.#mostRefused) throw error;
  }

  get refusals(): number {
    return this.#refusals;
  }

  /** Resolves to whether nothing was found. What is no finding is thrown. */
  async collect(work: () => Promise<void> | void, subject?: string): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (error instanceof Refused) {
        this.refuse(error);
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
    const others = this.#kept.filter(({ trouble }) => !SERVED.has(trouble));
    this.#kept.splice(0, Infinity, ...others);
    this.#more = 0;
  }

  /** What it found follows from something else. */
  forget(): void {
    this.#kept.splice(0);
    this.#more = 0;
  }

  /** `isWhole`: the look came to its end, so that what it did not find is over. */
  async tell({ report, common }: Pick<Look, "report" | "common">, check: string, isWhole: boolean): Promise<void> {
    const others = this.count - 1;
    const findings = this.#kept.map(({ trouble, message: what, evidence, subject }, at): Finding => {
      const finding = { trouble, what, subject, isOneOfMany: true };
      return at < MOST_EVIDENCE ? { ...finding, evidence: { ...common?.(), ...evidence, others } } : finding;
    });
    const isAll = isWhole && this.#more === 0 && this.#refused === undefined;
    if (findings.length > 0) await report.failedAll(check, findings, isAll, this.#more);
    else report.unknown(check, `${this.#more} that were damaged are not looked at again yet`);
  }
}

interface Look {
  readonly report: Report;
  readonly couldNot: string;
  readonly wrongOf: (difference: Difference) => Wrong;
  /** Whether an operator said of just this that it is over. */
  readonly isSettled?: (wrong: Wrong) => boolean;
  /** Why what is served cannot be held against what was proven. */
  readonly goneBack: () => Promise<string | undefined>;
  /**
   * It is of all there is and begins anew each time: if it ended where much is refused, it would never see what lies behind.
   * A server that is away, and refuses nothing, ends it too.
   */
  readonly isRound?: boolean;
  /** Who else than a server may not answer; the database unless said. */
  readonly beside?: "database" | "nobody";
  /** What stands in all evidence. */
  readonly common?: (() => object) | undefined;
}

/**
 * One look: passed with what `work` answers if it found nothing, else every finding is told. Anything else that it throws
 * means that it `couldNot` be done.
 */
export async function judgeAll(
  check: string,
  work: (findings: Findings) => Promise<string>,
  { report, couldNot, wrongOf, isSettled, goneBack, isRound = false, beside = "database", common }: Look,
): Promise<void> {
  const findings = new Findings(wrongOf, isSettled, isRound ? Infinity : MOST_REFUSED);
  let unknown: string | undefined;
  let away: unknown;
  let isWhole = false;
  try {
    const passed = await work(findings);
    isWhole = true;
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
    isWhole &&= back === undefined;
    unknown = back ?? unknown;
  }
  // That pages could not be read is not told in the words of those that were not looked at yet.
  const isSilent = findings.first(1).length === 0 && away !== undefined;
  if (findings.count > 0 && !isSilent) return findings.tell({ report, common }, check, isWhole);
  // Who does not answer at all is told by every look in the same words.
  if (away !== undefined && (unknown === undefined || away instanceof Unanswered)) {
    const many = findings.refusals > 1 ? `, ${findings.refusals} parts of it` : "";
    await report.failed(check, awayFinding(couldNot + many, away, beside === "database" ? { beside } : {}));
  } else if (unknown !== undefined) report.unknown(check, unknown);
}
