import { randomUUID } from "node:crypto";
import { ended, hasNewEvidence, isQuietForLong, kept, lastTime, reopened, seenAgain } from "./alarm-history.ts";
import { isTrouble, type Severity, type Trouble, TROUBLES } from "./troubles.ts";

/** That something is wrong, as the check that saw it says it. */
export interface Finding {
  readonly trouble: Trouble;
  /** One sentence with the figures. */
  readonly what: string;
  /** What proves it, to be stored: what is served tomorrow may be something else. */
  readonly evidence?: object | undefined;
  /** For how long it may be so before it is an alarm: what passes by itself wakes nobody. */
  readonly toleratedMs?: number;
  /** What the check found beside it is an alarm of its own: told apart by `what`, which MUST stay the same. */
  readonly isOneOfMany?: boolean;
  /** What is wrong, under a name that other checks that see it give it too: it is one alarm, however many see it. */
  readonly subject?: string | undefined;
}

export interface Alarm {
  readonly id: string;
  readonly since: string;
  readonly severity: Severity;
  readonly check: string;
  readonly trouble: Trouble;
  readonly what: string;
  readonly meaning: string;
  readonly remedy: string;
  /** Where the evidence is stored. */
  readonly evidence: string | null;
  /** What is wrong, where several checks may see the same. */
  readonly subject?: string;
  /** When it came back, and how often it came, where it did within an hour of its end. */
  readonly again?: string;
  readonly times?: number;
  /** It came often, and nobody sees it since: it is over if that stays so. */
  readonly quietSince?: string;
  readonly resolved?: string;
  /** Why it is over, where that is not because its check passed. */
  readonly reason?: string;
}

export interface CheckStatus {
  readonly name: string;
  readonly state: "passed" | "failing" | "unknown";
  readonly at: string;
  readonly what: string;
  readonly meaning: string | null;
  readonly remedy: string | null;
  readonly evidence: string | null;
}

/** Where checks say what they saw. */
export interface Report {
  passed(check: string, what: string): void;
  failed(check: string, finding: Finding): Promise<void>;
  /** All that one look found, and how many `more`. `isAll`: what this check told before and is not among them is over. */
  failedAll(check: string, findings: readonly Finding[], isAll: boolean, more?: number): Promise<void>;
  /** It could not be told; an alarm that is open stays open, but for one that says no more than that. */
  unknown(check: string, why: string): void;

  /** It is not made, on purpose: what it told before is over. */
  notAsked(check: string, why: string): void;
}

/** A report that takes an operator's word. */
export type SettlingReport = Report & Pick<AlarmBook, "settled">;

/** What an alarm is told to. It MUST NOT throw. */
export type AlarmSink = (alarm: Alarm) => void;

export interface AlarmStore {
  saveEvidence(name: string, evidence: object): Promise<string>;
  saveAlarms(alarms: readonly Alarm[]): Promise<void>;
}

/** Of one check and trouble, open at once: one more says that there are others, and the check how many. */
const MOST_OPEN = 10;
/** The same that were raised within an hour: whoever makes alarms come and go fills no disk with them. */
const MOST_RAISED = 100;
const HOUR_MS = 3_600_000;
/** Who saw that something does not answer looks again within this, or what it saw is over. */
const LOOK_AGAIN_MS = 150_000;
/** What passes when the server answers again, whoever saw it. */
const AWAY: ReadonlySet<Trouble> = new Set(["unreachable", "out-of-service"]);

/**
 * The state of every check and every alarm there is or was. A check that goes on failing for the same reason is one
 * alarm; a check that passes again resolves its alarms, which stay listed.
 */
export class AlarmBook implements Report {
  readonly #store: AlarmStore;
  readonly #sinks: readonly AlarmSink[];
  readonly #now: () => number;
  readonly #checks = new Map<string, CheckStatus>();
  readonly #failingSince = new Map<string, number>();
  /** Of each open alarm the checks that see it, and when each saw it last. */
  readonly #seenBy = new Map<string, Map<string, number>>();
  /** When alarms of a check and trouble were raised. */
  readonly #raised = new Map<string, number[]>();
  #alarms: Alarm[];
  #isClosed = false;
  #looksAgain = true;

  constructor(store: AlarmStore, before: readonly Alarm[], sinks: readonly AlarmSink[], now: () => number) {
    this.#store = store;
    this.#alarms = [...before];
    this.#sinks = sinks;
    this.#now = now;
    const standing = this.open.filter(({ quietSince }) => quietSince === undefined);
    for (const { id, check } of standing) this.#seenBy.set(id, new Map([[check, now()]]));
  }

  get checks(): CheckStatus[] {
    return [...this.#checks.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The newest first. */
  get alarms(): readonly Alarm[] {
    return this.#alarms;
  }

  get open(): Alarm[] {
    return this.#alarms.filter(({ resolved }) => resolved === undefined);
  }

  /** What is told from now on is of checks that were cut off in the middle. */
  close(): void {
    this.#isClosed = true;
  }

  /** Each check is made once: what is not there is not waited for. */
  looksOnce(): void {
    this.#looksAgain = false;
  }

  passed(check: string, what: string): void {
    if (this.#isClosed) return;
    this.#forget(check);
    this.#set({ name: check, state: "passed", what, meaning: null, remedy: null, evidence: null });
    this.#seesNoMore(check, () => true);
  }

  async failed(check: string, finding: Finding): Promise<void> {
    if (this.#isClosed) return;
    const id = await this.#see(check, finding);
    this.#setFailing(check, finding, id);
  }

  async failedAll(check: string, findings: readonly Finding[], isAll: boolean, more = 0): Promise<void> {
    if (this.#isClosed) return;
    const seen = new Set<string | undefined>();
    let worst: { readonly finding: Finding; readonly id: string | undefined } | undefined;
    for (const finding of findings) {
      const id = await this.#see(check, { ...finding, isOneOfMany: true });
      seen.add(id);
      const isWorse = TROUBLES[finding.trouble].severity === "critical";
      if (worst === undefined || (isWorse && TROUBLES[worst.finding.trouble].severity !== "critical")) {
        worst = { finding, id };
      }
    }
    if (worst === undefined) return;
    const others = findings.length - 1 + more;
    const what = others === 0 ? worst.finding.what : `${worst.finding.what}; and ${others} more`;
    this.#setFailing(check, { ...worst.finding, what }, worst.id);
    if (isAll) this.#seesNoMore(check, (alarm) => !seen.has(alarm.id));
  }

  #setFailing(check: string, { trouble, what }: Finding, id: string | undefined): void {
    // That it could not be looked at yet says nothing of it; if that stays so it is an alarm.
    const wasTold = (this.#checks.get(check)?.state ?? "unknown") !== "unknown";
    if (id === undefined && AWAY.has(trouble) && !wasTold && this.#looksAgain) {
      return this.#set({ name: check, state: "unknown", what, meaning: null, remedy: null, evidence: null });
    }
    const { meaning, remedy } = TROUBLES[trouble];
    const evidence = this.#alarms.find((alarm) => alarm.id === id)?.evidence ?? null;
    this.#set({ name: check, state: "failing", what, meaning, remedy, evidence });
  }

  /** Resolves to the alarm that it is part of. */
  async #see(check: string, finding: Finding): Promise<string | undefined> {
    const { trouble, toleratedMs = 0 } = finding;
    // Of two ways not to answer each is waited for, also where they take turns.
    if (!AWAY.has(trouble)) this.#forget(check, (other) => AWAY.has(other));
    const key = `${check} ${trouble}`;
    const since = this.#failingSince.get(key) ?? this.#now();
    this.#failingSince.set(key, since);
    const known = this.#known(check, finding);
    const isDue = known === undefined && this.#now() - since >= toleratedMs;
    const id = known?.id ?? (isDue ? await this.#raise(check, finding) : undefined);
    if (id !== undefined) this.#sees(id, check);
    if (id !== undefined || !AWAY.has(trouble)) {
      this.#seesNoMore(check, (alarm) => alarm.id !== id && alarm.trouble !== trouble && AWAY.has(alarm.trouble));
    }
    return id;
  }

  async #raise(check: string, finding: Finding): Promise<string> {
    const { trouble, what, subject, isOneOfMany = false } = finding;
    const { severity, meaning, remedy } = TROUBLES[trouble];
    const key = `${check} ${trouble}`;
    const raised = (this.#raised.get(key) ?? []).filter((at) => this.#now() - at < HOUR_MS);
    const others = othersOf({ check, trouble });
    const same = this.open.filter(
      (alarm) => alarm.check === check && alarm.trouble === trouble && alarm.subject !== others,
    );
    if (subject !== others && (same.length >= MOST_OPEN || raised.length >= MOST_RAISED)) {
      const told = `more than are told one by one, of which one is: ${what}; each is told when another is over`;
      const sum = { ...finding, what: told, subject: others };
      return this.#known(check, sum)?.id ?? (await this.#raise(check, sum));
    }
    const last = lastTime(
      this.#alarms,
      { check, trouble, what, isOneOfMany, ...(subject !== undefined && { subject }) },
      this.#now(),
    );
    const id = last?.id ?? randomUUID();
    const isNew = last === undefined || hasNewEvidence(last, what);
    const evidence = isNew ? await this.#keep(check, finding) : last.evidence;
    // Another check may have raised it while the evidence was written.
    const meanwhile = this.#known(check, finding);
    if (meanwhile !== undefined) return meanwhile.id;
    this.#raised.set(key, [...raised, this.#now()]);
    const alarm =
      last === undefined
        ? {
            id,
            since: this.#time(),
            severity,
            check,
            trouble,
            what,
            meaning,
            remedy,
            evidence,
            ...(subject !== undefined && { subject }),
          }
        : reopened(last, { what, evidence, again: this.#time() });
    this.#alarms = [alarm, ...this.#alarms.filter((one) => one.id !== id)];
    this.#tell(alarm);
    await this.#save();
    return id;
  }

  #sees(id: string, check: string): void {
    const seenBy = this.#seenBy.get(id) ?? new Map<string, number>();
    this.#seenBy.set(id, seenBy.set(check, this.#now()));
    this.#alarms = this.#alarms.map((alarm) =>
      alarm.id === id && alarm.quietSince !== undefined ? seenAgain(alarm) : alarm,
    );
  }

  /** A warning stands for no critical one. */
  #known(check: string, { trouble, what, isOneOfMany = false, subject }: Finding): Alarm | undefined {
    const { severity } = TROUBLES[trouble];
    return this.open.find((alarm) => {
      if (subject === undefined) {
        const isSame = alarm.check === check && alarm.trouble === trouble;
        return isSame && (!isOneOfMany || alarm.what === what);
      }
      const standsFor = alarm.severity === severity || alarm.severity === "critical";
      return alarm.subject === subject && standsFor && AWAY.has(alarm.trouble) === AWAY.has(trouble);
    });
  }

  unknown(check: string, why: string): void {
    if (this.#isClosed) return;
    this.#forget(check, (trouble) => AWAY.has(trouble));
    this.#set({ name: check, state: "unknown", what: why, meaning: null, remedy: null, evidence: null });
    this.#seesNoMore(check, (alarm) => AWAY.has(alarm.trouble));
  }

  /** It was to be made again, and was not: that it passed says nothing of now. */
  doubt(check: string, why: string): void {
    const before = this.#checks.get(check);
    if (this.#isClosed || before?.state !== "passed") return;
    const what = `not looked at since ${before.at}: ${why}`;
    this.#checks.set(check, { ...before, state: "unknown", what });
  }

  /** It is going to be made. */
  expected(check: string, why = "not yet looked at since the auditor started"): void {
    if (!this.#checks.has(check)) this.unknown(check, why);
  }

  notAsked(check: string, why: string): void {
    if (this.#isClosed) return;
    this.#forget(check);
    this.unknown(check, why);
    this.#seesNoMore(check, () => true, why);
  }

  /** An operator's word on what a check told: it is over. */
  settled(trouble: Trouble, what: string, reason: string): void {
    if (this.#isClosed) return;
    const over = this.open.filter((alarm) => alarm.trouble === trouble && alarm.what === what);
    this.#resolve(new Set(over), reason);
  }

  /** An alarm is over when no check sees it any more. */
  #seesNoMore(check: string, which: (alarm: Alarm) => boolean, reason?: string): void {
    const over = this.open.filter((alarm) => {
      const seenBy = this.#seenBy.get(alarm.id) ?? new Map<string, number>();
      const isTold = which(alarm) && seenBy.delete(check);
      if (AWAY.has(alarm.trouble)) this.#dropLate(alarm, seenBy);
      if (alarm.quietSince !== undefined) return false;
      return (isTold || AWAY.has(alarm.trouble)) && seenBy.size === 0;
    });
    this.#resolve(new Set(over), reason);
  }

  /** It was looked at once while the server was away, and is not looked at often. */
  #dropLate(alarm: Alarm, seenBy: Map<string, number>): void {
    for (const [check, at] of seenBy) {
      if (this.#now() - at < LOOK_AGAIN_MS) continue;
      seenBy.delete(check);
      const what = `not looked at again since it could not be: ${alarm.what}`;
      if (this.#checks.get(check)?.state === "failing") {
        this.#set({ name: check, state: "unknown", what, meaning: null, remedy: null, evidence: null });
      }
    }
  }

  #forget(check: string, which: (trouble: Trouble) => boolean = () => true): void {
    for (const key of this.#failingSince.keys()) {
      const trouble = key.slice(check.length + 1);
      if (key.startsWith(`${check} `) && isTrouble(trouble) && which(trouble)) this.#failingSince.delete(key);
    }
  }

  #resolve(over: ReadonlySet<Alarm>, reason?: string): void {
    const now = this.#now();
    const isOver = (alarm: Alarm) => over.has(alarm) || isQuietForLong(alarm, now);
    if (!this.open.some(isOver)) return;
    const before = new Set(this.open);
    for (const { id } of over) this.#seenBy.delete(id);
    const alarms = this.#alarms.map((alarm) => {
      if (isQuietForLong(alarm, now)) return { ...seenAgain(alarm), resolved: this.#time() };
      return over.has(alarm) ? ended(alarm, this.#time(), reason) : alarm;
    });
    this.#alarms = kept(alarms, now);
    for (const alarm of alarms) if (alarm.resolved !== undefined && isOpenIn(before, alarm)) this.#tell(alarm);
    void this.#save();
  }

  /** A disk that is full is an alarm of its own: this one was told. */
  async #save(): Promise<void> {
    await this.#store.saveAlarms(this.#alarms).catch(() => {});
  }

  /** An alarm without its evidence is better than none. */
  async #keep(check: string, finding: Finding): Promise<string | null> {
    const { trouble, what, evidence = {} } = finding;
    const name = `${this.#time().replaceAll(/[-:]/g, "")}-${trouble}-${randomUUID().slice(0, 8)}`;
    return this.#store.saveEvidence(name, { at: this.#time(), check, trouble, what, ...evidence }).catch(() => null);
  }

  #tell(alarm: Alarm): void {
    for (const sink of this.#sinks) sink(alarm);
  }

  #set(status: Omit<CheckStatus, "at">): void {
    this.#checks.set(status.name, { ...status, at: this.#time() });
  }

  #time(): string {
    return timeOf(this.#now());
  }
}

/** Whether it stands for findings that are not told one by one. */
export function standsForOthers({ check, trouble, subject }: Pick<Alarm, "check" | "trouble" | "subject">): boolean {
  return subject === othersOf({ check, trouble });
}

function othersOf({ check, trouble }: Pick<Alarm, "check" | "trouble">): string {
  return `${check}: others of ${trouble}`;
}

function isOpenIn(open: ReadonlySet<Alarm>, { id }: Alarm): boolean {
  return [...open].some((alarm) => alarm.id === id);
}

/** RFC 3339, UTC, whole seconds. */
export function timeOf(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
