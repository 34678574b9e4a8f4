import { setTimeout as delay } from "node:timers/promises";
import type { Alarm } from "../domain/alarm.ts";

const TIMEOUT_MS = 10_000;
const PAUSES_MS = [0, 1_000, 5_000, 30_000, 120_000];
/** Alarms that wait for a receiver that is down; what is beyond stays in the list that /audit shows. */
const MOST_WAITING = 100;

/**
 * Posts each alarm, and its end, to one URL, in order: `{ text, alarm }`, of which `text` is what chat services show. The
 * only request of the auditor that goes anywhere but to what it audits.
 */
export class Webhook {
  readonly #url: string;
  readonly #signal: AbortSignal;
  readonly #failed: (reason: string) => void;
  #posting: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(url: string, signal: AbortSignal, failed: (reason: string) => void) {
    this.#url = url;
    this.#signal = signal;
    this.#failed = failed;
  }

  tell(alarm: Alarm): void {
    if (this.#waiting >= MOST_WAITING) return this.#failed(`webhook: more than ${MOST_WAITING} alarms wait`);
    this.#waiting++;
    this.#posting = this.#posting.then(() => this.#post(alarm)).finally(() => this.#waiting--);
  }

  async #post(alarm: Alarm): Promise<void> {
    const body = JSON.stringify({ text: alarmText(alarm), alarm });
    let reason = "";
    for (const pause of PAUSES_MS) {
      await delay(pause, undefined, { signal: this.#signal }).catch(() => {});
      if (this.#signal.aborted) return;
      try {
        const signal = AbortSignal.timeout(TIMEOUT_MS);
        const headers = { "Content-Type": "application/json" };
        const answer = await fetch(this.#url, { method: "POST", body, headers, redirect: "error", signal });
        await answer.body?.cancel();
        if (answer.ok) return;
        reason = `answers ${answer.status}`;
      } catch {
        reason = "cannot be reached";
      }
    }
    this.#failed(`webhook: ${new URL(this.#url).host} ${reason}; not told: ${alarm.what}`);
  }
}

/** What happened, what it means, what to do, where the evidence is. */
export function alarmText({ resolved, severity, check, what, meaning, remedy, evidence, since }: Alarm): string {
  if (resolved !== undefined) return `RESOLVED (${check}, since ${since}): ${what}`;
  const stored = evidence === null ? "" : ` Evidence: ${evidence}`;
  return `${severity.toUpperCase()} (${check}): ${what}. It means: ${meaning} Do: ${remedy}${stored}`;
}
