import { AsyncLocalStorage } from "node:async_hooks";
import { type AlarmBook, type Finding, type SettlingReport, timeOf } from "../domain/alarm.ts";
import type { AuditorOptions } from "./auditor-options.ts";
import { again } from "./pace.ts";
import { messageOf } from "./wrong.ts";

const CHECK = "the auditor's own loops";
/** One turn may end in a fault: what passes by itself wakes nobody. */
const FAULT_MS = 60_000;
/** Whatever is asked answers, or is given up, within half a minute; on a machine that has other things to do, later. */
const STILL_MS = 300_000;
/** Between two judgements, which are made every few seconds. */
const STOPPED_MS = 60_000;
/** Beside five turns as long as the last: what is new of a busy log takes its time. */
const LATE_MS = 600_000;
const LATE_TURNS = 5;

export type LoopReport = SettlingReport & Pick<AlarmBook, "expected">;

interface Loop {
  readonly name: string;
  readonly everyMs: number;
  /** It waits for what may never come. */
  readonly mayWait: boolean;
  /** The last answer, word or end of a rest. */
  aliveAt: number;
  turnSince: number;
  tookMs: number | undefined;
  fault: { readonly since: number; readonly error: unknown } | undefined;
}

interface Around {
  readonly book: AlarmBook;
  readonly now: () => number;
  /** Milliseconds that nobody can set. */
  readonly elapsed: () => number;
  readonly signal: AbortSignal;
  readonly failed: (what: string, error: unknown) => void;
}

/**
 * What the auditor does again and again. A loop that ends in a fault or stands still tells nothing, and the last that its
 * checks said would stay for ever: each check is known by the loop that told it, and passes no more when that does not.
 */
export class Loops {
  readonly #around: Around;
  readonly #current = new AsyncLocalStorage<Loop>();
  readonly #loops = new Set<Loop>();
  /** By which loop each check was told last, and when. */
  readonly #told = new Map<string, { readonly loop: Loop; readonly at: number }>();
  #judgedAt: number | undefined;

  constructor(around: Around) {
    this.#around = around;
  }

  /** The book, for what is checked in loops. */
  get report(): LoopReport {
    const { book } = this.#around;
    const told = (check: string) => this.#tell(check);
    return {
      passed: (check, what) => (told(check), book.passed(check, what)),
      failed: (check, finding) => (told(check), book.failed(check, finding)),
      failedAll: (check, ...all) => (told(check), book.failedAll(check, ...all)),
      unknown: (check, why) => (told(check), book.unknown(check, why)),
      notAsked: (check, why) => (told(check), book.notAsked(check, why)),
      expected: (check) => book.expected(check),
      settled: (...word) => book.settled(...word),
    };
  }

  /** An answer, whatever it is, shows that the loop that asked lives. */
  listening(options: AuditorOptions): AuditorOptions {
    const { insight, way, verifyIndex } = options;
    const reach = way?.fetch ?? ((url: string, request: RequestInit) => fetch(url, request));
    const heard = <Answer>(answer: Promise<Answer>) => answer.finally(() => this.alive());
    return {
      ...options,
      way: { ...way, fetch: (url, request) => heard(reach(url, request)) },
      insight: insight && { ...insight, db: { query: (sql, params) => heard(insight.db.query(sql, params)) } },
      verifyIndex:
        verifyIndex && ((log, tree, around) => verifyIndex(log, tree, { ...around, alive: () => this.alive() })),
    };
  }

  alive(): void {
    const loop = this.#current.getStore();
    if (loop !== undefined) loop.aliveAt = Math.max(loop.aliveAt, this.#around.elapsed());
  }

  /** It is going to do nothing for so long, on purpose. */
  rests(milliseconds: number): void {
    const loop = this.#current.getStore();
    if (loop !== undefined) loop.aliveAt = this.#around.elapsed() + milliseconds;
  }

  /** Until the auditor stops, or `until` comes. */
  async again(
    name: string,
    everyMs: number,
    work: () => Promise<void>,
    { mayWait = false, until }: { readonly mayWait?: boolean; readonly until?: AbortSignal } = {},
  ): Promise<void> {
    const { elapsed, failed } = this.#around;
    const signal = until === undefined ? this.#around.signal : AbortSignal.any([this.#around.signal, until]);
    const loop: Loop = {
      name,
      everyMs,
      mayWait,
      aliveAt: elapsed(),
      turnSince: elapsed(),
      tookMs: undefined,
      fault: undefined,
    };
    this.#loops.add(loop);
    const turn = async () => {
      loop.aliveAt = loop.turnSince = elapsed();
      await work();
      loop.tookMs = elapsed() - loop.turnSince;
      loop.fault = undefined;
      loop.aliveAt = elapsed() + everyMs;
    };
    await this.#current.run(loop, () =>
      again(everyMs, signal, turn, (error) => {
        loop.fault ??= { since: elapsed(), error };
        loop.aliveAt = elapsed() + everyMs;
        this.#doubt(loop, `the auditor's own loop "${name}" ended in a fault`);
        failed(name, error);
      }),
    );
    this.#loops.delete(loop);
  }

  /** To be called often, by what is none of them. */
  async judge(): Promise<void> {
    const { book, now, elapsed } = this.#around;
    this.#forgive(elapsed());
    const findings: Finding[] = [];
    let doubted = 0;
    for (const loop of this.#loops) {
      const still = elapsed() - loop.aliveAt;
      const isStill = !loop.mayWait && still >= STILL_MS;
      const what = isStill
        ? `the auditor's own loop "${loop.name}" stands still since ${timeOf(now() - still)}`
        : loop.fault && `the auditor's own loop "${loop.name}" ends in a fault: ${messageOf(loop.fault.error)}`;
      if (what === undefined) this.#doubtLate(loop);
      else this.#doubt(loop, what, isStill);
      if (what !== undefined) doubted++;
      const isTold = isStill || (loop.fault !== undefined && elapsed() - loop.fault.since >= FAULT_MS);
      if (what === undefined || !isTold) continue;
      const evidence = {
        loop: loop.name,
        checks: this.#checksOf(loop),
        fault: loop.fault && stackOf(loop.fault.error),
      };
      findings.push({ trouble: "auditor-fault", what, evidence, subject: `loop ${loop.name}` });
    }
    if (findings.length > 0) await book.failedAll(CHECK, findings, true);
    else if (doubted > 0) book.unknown(CHECK, `${doubted} of ${this.#loops.size} ended in a fault a moment ago`);
    else book.passed(CHECK, `all ${this.#loops.size} of them go on, and none ended in a fault`);
  }

  /** A process that was stopped, or whose machine was, has kept none of its loops, and judges them first when it goes on. */
  #forgive(at: number): void {
    if (this.#judgedAt !== undefined && at - this.#judgedAt >= STOPPED_MS) {
      for (const loop of this.#loops) loop.aliveAt = Math.max(loop.aliveAt, at);
    }
    this.#judgedAt = at;
  }

  #tell(check: string): void {
    const [loop, at] = [this.#current.getStore() ?? this.#told.get(check)?.loop, this.#around.elapsed()];
    if (loop === undefined) return;
    loop.aliveAt = Math.max(loop.aliveAt, at);
    this.#told.set(check, { loop, at });
  }

  /** What it told in the turn that ended in a fault is as it was told. */
  #doubt(loop: Loop, why: string, isStill = false): void {
    for (const [check, told] of this.#told) {
      if (told.loop === loop && (isStill || told.at < loop.turnSince)) this.#around.book.doubt(check, why);
    }
  }

  #doubtLate(loop: Loop): void {
    if (loop.tookMs === undefined) return;
    const limit = LATE_MS + LATE_TURNS * (loop.everyMs + loop.tookMs);
    for (const [check, told] of this.#told) {
      if (told.loop !== loop || this.#around.elapsed() - told.at < limit) continue;
      this.#around.book.doubt(check, "what it looks at did not come to its end, far longer than it takes");
    }
  }

  #checksOf(loop: Loop): string[] {
    return [...this.#told].filter(([, told]) => told.loop === loop).map(([check]) => check);
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}
