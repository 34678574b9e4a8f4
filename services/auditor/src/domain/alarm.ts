import { randomUUID } from "node:crypto";
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
  /** It could not be told; an alarm that is open stays open, but for one that says no more than that. */
  unknown(check: string, why: string): void;

  /** It is not made, on purpose: what it told before is over. */
  notAsked(check: string, why: string): void;
}

/** What an alarm is told to. It MUST NOT throw. */
export type AlarmSink = (alarm: Alarm) => void;

export interface AlarmStore {
  saveEvidence(name: string, evidence: object): Promise<string>;
  saveAlarms(alarms: readonly Alarm[]): Promise<void>;
}

/** Resolved ones are kept for whoever asks what happened last night. */
const MOST_RESOLVED = 200;
/** Of one check and trouble, open at once: who looks into them finds the others. */
const MOST_OPEN = 10;
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
  #alarms: Alarm[];
  #isClosed = false;

  constructor(store: AlarmStore, before: readonly Alarm[], sinks: readonly AlarmSink[], now: () => number) {
    this.#store = store;
    this.#alarms = [...before];
    this.#sinks = sinks;
    this.#now = now;
    for (const { id, check } of this.open) this.#seenBy.set(id, new Map([[check, now()]]));
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

  passed(check: string, what: string): void {
    if (this.#isClosed) return;
    this.#forget(check);
    this.#set({ name: check, state: "passed", what, meaning: null, remedy: null, evidence: null });
    this.#seesNoMore(check, () => true);
  }

  async failed(check: string, finding: Finding): Promise<void> {
    if (this.#isClosed) return;
    const { trouble, what, toleratedMs = 0, subject } = finding;
    this.#forget(check, (other) => other !== trouble && AWAY.has(other));
    this.#seesNoMore(check, (alarm) => alarm.trouble !== trouble && AWAY.has(alarm.trouble));
    const key = `${check} ${trouble}`;
    const since = this.#failingSince.get(key) ?? this.#now();
    this.#failingSince.set(key, since);
    const { severity, meaning, remedy } = TROUBLES[trouble];
    const same = this.open.filter((alarm) => alarm.check === check && alarm.trouble === trouble);
    const known = this.#known(finding, same);
    const isDue = known === undefined && same.length < MOST_OPEN && this.#now() - since >= toleratedMs;
    const id = isDue ? randomUUID() : known?.id;
    const evidence = isDue ? await this.#keep(check, id ?? "", finding) : (known?.evidence ?? null);
    this.#set({ name: check, state: "failing", what, meaning, remedy, evidence });
    if (id === undefined) return;
    // Another check may have raised it while the evidence was written.
    const meanwhile = isDue && subject !== undefined ? this.#known(finding, same) : undefined;
    this.#sees(meanwhile?.id ?? id, check);
    if (!isDue || meanwhile !== undefined) return;
    const alarm = { id, since: this.#time(), severity, check, trouble, what, meaning, remedy, evidence };
    this.#alarms = [subject === undefined ? alarm : { ...alarm, subject }, ...this.#alarms];
    this.#tell(alarm);
    await this.#save();
  }

  #sees(id: string, check: string): void {
    const seenBy = this.#seenBy.get(id) ?? new Map<string, number>();
    this.#seenBy.set(id, seenBy.set(check, this.#now()));
  }

  /** A warning stands for no critical one. */
  #known({ trouble, what, isOneOfMany = false, subject }: Finding, same: readonly Alarm[]): Alarm | undefined {
    const { severity } = TROUBLES[trouble];
    const shared = this.open.find(
      (alarm) =>
        subject !== undefined &&
        alarm.subject === subject &&
        (alarm.severity === severity || alarm.severity === "critical") &&
        AWAY.has(alarm.trouble) === AWAY.has(trouble),
    );
    return shared ?? same.find((alarm) => !isOneOfMany || alarm.what === what);
  }

  unknown(check: string, why: string): void {
    if (this.#isClosed) return;
    this.#forget(check, (trouble) => AWAY.has(trouble));
    this.#set({ name: check, state: "unknown", what: why, meaning: null, remedy: null, evidence: null });
    this.#seesNoMore(check, (alarm) => AWAY.has(alarm.trouble));
  }

  /** It is going to be made. */
  expected(check: string): void {
    if (!this.#checks.has(check)) this.unknown(check, "not yet looked at since the auditor started");
  }

  notAsked(check: string, why: string): void {
    if (this.#isClosed) return;
    this.#forget(check);
    this.unknown(check, why);
    this.#seesNoMore(check, () => true, why);
  }

  /** An alarm is over when no check sees it any more. */
  #seesNoMore(check: string, which: (alarm: Alarm) => boolean, reason?: string): void {
    const ended = this.open.filter((alarm) => {
      const seenBy = this.#seenBy.get(alarm.id) ?? new Map<string, number>();
      const isTold = which(alarm) && seenBy.delete(check);
      if (AWAY.has(alarm.trouble)) this.#dropLate(alarm, seenBy);
      return (isTold || AWAY.has(alarm.trouble)) && seenBy.size === 0;
    });
    this.#resolve(new Set(ended), reason);
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

  #resolve(ended: ReadonlySet<Alarm>, reason?: string): void {
    if (ended.size === 0) return;
    for (const { id } of ended) this.#seenBy.delete(id);
    const time = this.#time();
    const alarms = this.#alarms.map((alarm) =>
      ended.has(alarm) ? Object.assign({}, alarm, { resolved: time, ...(reason && { reason }) }) : alarm,
    );
    const excess = new Set(alarms.filter((alarm) => alarm.resolved !== undefined).slice(MOST_RESOLVED));
    const resolved = alarms.filter(({ id }) => [...ended].some((alarm) => alarm.id === id));
    this.#alarms = alarms.filter((alarm) => !excess.has(alarm));
    for (const alarm of resolved) this.#tell(alarm);
    void this.#save();
  }

  /** A disk that is full is an alarm of its own: this one was told. */
  async #save(): Promise<void> {
    await this.#store.saveAlarms(this.#alarms).catch(() => {});
  }

  /** An alarm without its evidence is better than none. */
  async #keep(check: string, id: string, finding: Finding): Promise<string | null> {
    const { trouble, what, evidence = {} } = finding;
    const name = `${this.#time().replaceAll(/[-:]/g, "")}-${trouble}-${id.slice(0, 8)}`;
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

/** RFC 3339, UTC, whole seconds. */
export function timeOf(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
