import { randomUUID } from "node:crypto";
import { type Severity, type Trouble, TROUBLES } from "./troubles.ts";

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
  readonly resolved?: string;
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
  /** It could not be told; an alarm that is open stays open. */
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
  #alarms: Alarm[];
  #isClosed = false;

  constructor(store: AlarmStore, before: readonly Alarm[], sinks: readonly AlarmSink[], now: () => number) {
    this.#store = store;
    this.#alarms = [...before];
    this.#sinks = sinks;
    this.#now = now;
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
    this.#resolve((alarm) => alarm.check === check);
  }

  async failed(check: string, finding: Finding): Promise<void> {
    if (this.#isClosed) return;
    const { trouble, what, toleratedMs = 0, isOneOfMany = false } = finding;
    const key = `${check} ${trouble}`;
    const since = this.#failingSince.get(key) ?? this.#now();
    this.#failingSince.set(key, since);
    const { severity, meaning, remedy } = TROUBLES[trouble];
    const same = this.open.filter((alarm) => alarm.check === check && alarm.trouble === trouble);
    const known = same.find((alarm) => !isOneOfMany || alarm.what === what);
    const isDue = known === undefined && this.#now() - since >= toleratedMs;
    const id = isDue ? randomUUID() : known?.id;
    const evidence = isDue ? await this.#keep(check, id ?? "", finding) : (known?.evidence ?? null);
    this.#set({ name: check, state: "failing", what, meaning, remedy, evidence });
    if (!isDue || id === undefined) return;
    const alarm = { id, since: this.#time(), severity, check, trouble, what, meaning, remedy, evidence };
    this.#alarms = [alarm, ...this.#alarms];
    this.#tell(alarm);
    await this.#save();
  }

  unknown(check: string, why: string): void {
    if (this.#isClosed) return;
    this.#set({ name: check, state: "unknown", what: why, meaning: null, remedy: null, evidence: null });
  }

  notAsked(check: string, why: string): void {
    if (this.#isClosed) return;
    this.#forget(check);
    this.unknown(check, why);
    this.#resolve((alarm) => alarm.check === check);
  }

  #forget(check: string): void {
    for (const key of this.#failingSince.keys()) if (key.startsWith(`${check} `)) this.#failingSince.delete(key);
  }

  #resolve(which: (alarm: Alarm) => boolean): void {
    const ended = new Set(this.open.filter(which));
    if (ended.size === 0) return;
    const time = this.#time();
    const alarms = this.#alarms.map((alarm) =>
      ended.has(alarm) ? Object.assign({}, alarm, { resolved: time }) : alarm,
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
