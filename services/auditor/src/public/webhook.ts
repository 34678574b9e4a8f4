import { setTimeout as delay } from "node:timers/promises";
import { counted } from "@chancery/encoding";
import type { Alarm, Report } from "../domain/alarm.ts";
import { alarmChatText } from "../domain/alarm-text.ts";
import type { NamedMemory } from "../domain/named-memory.ts";

const TIMEOUT_MS = 10_000;
/** After each failure in a row; then the last again. */
const PAUSES_MS = [1_000, 5_000, 30_000, 120_000, 300_000] as const;
/** Nobody reads more; what is beyond stays in the list that /audit shows. */
const MOST_WAITING = 100;
/** What is older is no news. */
const OLDEST_MS = 7 * 86_400_000;
const LATE_MS = 300_000;
/** The receiver does not take this one, whatever it takes of others. */
const UNWANTED = new Set([400, 413, 422]);
const MOST_UNWANTED = 5;
const TOLERATED_MS = 60_000;
const CHECK = "webhook";
const FILE = "webhook";

interface Around {
  /** The newest first. */
  readonly alarms: () => readonly Alarm[];
  readonly report: Pick<Report, "passed" | "failed">;
  /** What was told, over a restart. */
  readonly memory: NamedMemory;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly failed: (reason: string) => void;
  readonly pausesMs?: readonly number[];
}

interface Message {
  readonly key: string;
  readonly alarm: Alarm;
  readonly at: number;
}

/**
 * Posts each alarm, and its end, to one URL, in order: `{ text, alarm }`, of which `text` is what chat services show. An alarm
 * waits until it was taken, over restarts of the auditor: what was told is remembered, and the alarms are stored anyway. The
 * only request of the auditor that goes anywhere but to what it audits.
 */
export class Webhook {
  readonly #url: string;
  readonly #around: Around;
  /** What was over before there was anyone to tell is not news. */
  readonly #over: readonly string[];
  #told: Set<string> | undefined;
  #news = Promise.withResolvers<void>();
  #failures = 0;
  #unwanted = 0;

  constructor(url: string, around: Around) {
    this.#url = url;
    this.#around = around;
    this.#over = messagesOf(around.alarms().filter(({ resolved }) => resolved !== undefined)).map(({ key }) => key);
  }

  /** There is something to tell. */
  wake(): void {
    this.#news.resolve();
  }

  /** Until the signal. */
  async run(): Promise<void> {
    const { signal, pausesMs = PAUSES_MS } = this.#around;
    signal.addEventListener("abort", () => this.wake(), { once: true });
    while (!signal.aborted) {
      this.#news = Promise.withResolvers<void>();
      if (await this.deliver()) await this.#news.promise;
      else {
        const pause = pausesMs[Math.min(this.#failures, pausesMs.length) - 1] ?? 0;
        await delay(pause, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Tells what waits, the oldest first, until one is not taken. Resolves to whether nothing waits. */
  async deliver(): Promise<boolean> {
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) {
      if (this.#around.signal.aborted) return false;
      const reason = await this.#post(next);
      if (reason !== undefined && !(await this.#giveUp(next, reason))) return false;
      await this.#remember(next.key);
      if (reason !== undefined) continue;
      this.#failures = 0;
      this.#unwanted = 0;
      this.#around.report.passed(CHECK, "the last alarm was taken");
    }
    return true;
  }

  async #next(): Promise<Message | undefined> {
    const { now, failed } = this.#around;
    const told = (this.#told ??= await this.#recall());
    const waiting = messagesOf(this.#around.alarms()).filter(({ key }) => !told.has(key));
    const old = waiting.filter(({ at }, place) => now() - at > OLDEST_MS || place < waiting.length - MOST_WAITING);
    if (old.length > 0) {
      failed(
        `webhook: ${counted(old.length, "alarm was", "alarms were")} not told, more than ${MOST_WAITING} waited or they are a week old`,
      );
      for (const { key } of old) told.add(key);
    }
    return waiting.find((message) => !old.includes(message));
  }

  /** Resolves to why it was not taken. */
  async #post({ alarm, at }: Message): Promise<string | undefined> {
    const { host } = new URL(this.#url);
    const text = alarmChatText(alarm, this.#around.now() - at > LATE_MS);
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.#around.signal]);
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ text, alarm });
      const answer = await fetch(this.#url, { method: "POST", body, headers, redirect: "error", signal });
      await answer.body?.cancel();
      if (answer.ok) return undefined;
      this.#unwanted = UNWANTED.has(answer.status) ? this.#unwanted + 1 : 0;
      return `${host} answers ${answer.status}`;
    } catch {
      return `${host} cannot be reached`;
    }
  }

  /** One that is not wanted holds up no others. */
  async #giveUp({ alarm }: Message, reason: string): Promise<boolean> {
    if (this.#around.signal.aborted) return false;
    this.#failures++;
    const what = `${reason}: an alarm waits to be told`;
    await this.#around.report.failed(CHECK, { trouble: "webhook", what, toleratedMs: TOLERATED_MS });
    if (this.#unwanted < MOST_UNWANTED) return false;
    this.#unwanted = 0;
    this.#around.failed(`webhook: ${reason}; not told: ${alarm.what}`);
    return true;
  }

  async #recall(): Promise<Set<string>> {
    const { memory } = this.#around;
    const told = await memory.recall<readonly string[]>(FILE).catch(() => undefined);
    if (told === undefined) await memory.remember(FILE, this.#over).catch(() => {});
    return new Set(told ?? this.#over);
  }

  /** Where it cannot be written, it is told again after a restart. */
  async #remember(key: string): Promise<void> {
    const known = new Set(messagesOf(this.#around.alarms()).map((message) => message.key));
    const told = [...(this.#told ?? []), key].filter((one) => known.has(one));
    this.#told = new Set(told);
    await this.#around.memory.remember(FILE, told).catch(() => {});
  }
}

/** The oldest first. That the webhook is down is not told to it. */
function messagesOf(alarms: readonly Alarm[]): Message[] {
  const messages = alarms
    .filter(({ check }) => check !== CHECK)
    .toReversed()
    .flatMap((alarm): Message[] => {
      const { resolved, ...raised } = alarm;
      const id = alarm.times === undefined ? alarm.id : `${alarm.id} ${alarm.times}`;
      const first = { key: id, alarm: raised, at: Date.parse(alarm.again ?? alarm.since) };
      return resolved === undefined ? [first] : [first, { key: `${id} over`, alarm, at: Date.parse(resolved) }];
    });
  return messages.toSorted((a, b) => a.at - b.at);
}
