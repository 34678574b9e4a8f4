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

type TellRound = (findings: Findings, hadFailed: boolean) => Promise<void>;

/** All that one look found, so that nothing hides behind what was found first. */
export class Findings {
  readonly #kept: Wrong[] = [];
  readonly #wrongOf: (difference: Difference) => Wrong;
  readonly #isSettled: (wrong: Wrong) => boolean;
  readonly #counts = new Map<Trouble, number>();
  #more = 0;
  #refused: Refused | undefined;
  #last: Refused | undefined;
  #refusals = 0;
  readonly #round: TellRound | undefined;
  /** They were told as failing. */
  hasFailed = false;

  /** `round`: goes on however much is refused, and is told by it while it is made. */
  constructor(
    wrongOf: (difference: Difference) => Wrong,
    isSettled: (wrong: Wrong) => boolean = () => false,
    round?: TellRound,
  ) {
    this.#wrongOf = wrongOf;
    this.#isSettled = isSettled;
    this.#round = round;
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

  /** There is nothing to tell but that it passed. */
  get isClean(): boolean {
    return this.count === 0 && this.#refused === undefined;
  }

  /** Of a round that rests: hours may pass until its end. `hadFailed`: the one before it was told as failing. */
  async tellSoFar(hadFailed: boolean): Promise<void> {
    if (!this.isClean) await this.#round?.(this, hadFailed);
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
    // One answer, which several waited for.
    if (this.#last === error) return;
    this.#last = error;
    this.#refusals++;
    if (this.isRefusedMuch && this.#round === undefined) throw error;
  }

  get isRefusedMuch(): boolean {
    return this.#refusals > MOST_REFUSED;
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
    this.hasFailed = findings.length > 0;
    if (this.hasFailed) await report.failedAll(check, findings, isAll, this.#more);
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
  look: Look,
): Promise<void> {
  const { report, wrongOf, isSettled, goneBack, isRound = false } = look;
  const soFar: TellRound = (found, hadFailed) => tellSoFar(check, found, hadFailed, look);
  const findings = new Findings(wrongOf, isSettled, isRound ? soFar : undefined);
  let unknown: string | undefined;
  let away: unknown;
  let isWhole = false;
  try {
    const passed = await work(findings);
    isWhole = true;
    away = findings.refused;
    if (findings.isClean) report.passed(check, passed);
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
  await tellAll(check, findings, { away, unknown, isWhole }, look);
}

/**
 * Of little that was refused it is not yet known whether the server serves. Where the round before failed, that is not taken
 * back for it: an alarm would end and come again with each round.
 */
async function tellSoFar(check: string, findings: Findings, hadFailed: boolean, look: Look): Promise<void> {
  const { count, refused, isRefusedMuch } = findings;
  // What follows from an older tree is forgotten at the end alone: by then the newest may be shown again, and what was wrong before stays so.
  const back = count === 0 ? undefined : await look.goneBack();
  if (back !== undefined) return look.report.unknown(check, back);
  if (count === 0 && refused !== undefined && !hadFailed && !isRefusedMuch) {
    return look.report.unknown(check, `${partsOf(look, findings)} so far: ${refused.message}`);
  }
  await tellAll(check, findings, { away: refused, unknown: undefined, isWhole: false }, look);
}

/** How a look went, or how far it is. */
interface Course {
  readonly away: unknown;
  readonly unknown: string | undefined;
  /** It came to its end. */
  readonly isWhole: boolean;
}

async function tellAll(check: string, findings: Findings, course: Course, look: Look): Promise<void> {
  const { report, beside = "database", common } = look;
  const { away, unknown, isWhole } = course;
  // That pages could not be read is not told in the words of those that were not looked at yet.
  const isSilent = findings.first(1).length === 0 && away !== undefined;
  if (findings.count > 0 && !isSilent) return findings.tell({ report, common }, check, isWhole);
  // Who does not answer at all is told by every look in the same words.
  if (away !== undefined && (unknown === undefined || away instanceof Unanswered)) {
    findings.hasFailed = true;
    const finding = awayFinding(partsOf(look, findings), away, beside === "database" ? { beside } : {});
    await report.failed(check, finding);
  } else if (unknown !== undefined) report.unknown(check, unknown);
}

function partsOf({ couldNot }: Look, { refusals }: Findings): string {
  return refusals > 1 ? `${couldNot}, ${refusals} parts of it` : couldNot;
}
