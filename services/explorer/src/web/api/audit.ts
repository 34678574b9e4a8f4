import { counted } from "@chancery/encoding";
import { type Answer, ask } from "./answer.ts";
import { AtMostEvery } from "./at-most-every.ts";
import { decimal, list, number, oneOf, optional, shape, type Shaped, text } from "./shape.ts";

const check = shape({
  name: text,
  state: oneOf("passed", "failing", "unknown"),
  at: optional(text),
  what: text,
  meaning: optional(text),
  remedy: optional(text),
  evidence: optional(text),
});
export type AuditCheck = Shaped<typeof check>;

const alarm = shape({
  id: text,
  since: text,
  severity: text,
  check: text,
  /** What is wrong, by its name among all that can be. */
  trouble: optional(text),
  what: text,
  meaning: text,
  remedy: text,
  evidence: optional(text),
  /** When it came back, and how often it came. */
  again: optional(text),
  times: optional(number),
  /** It came often, and nobody sees it since: it is over if that stays so. */
  quietSince: optional(text),
  /** Since when it is over, and why, where that is not because its check passed. */
  resolved: optional(text),
  reason: optional(text),
});
export type Alarm = Shaped<typeof alarm>;

/** Open ones, the worst first. */
export function openAlarms({ alarms }: Pick<Audit, "alarms">): Alarm[] {
  const open = alarms.filter(({ resolved }) => resolved === undefined);
  return open.toSorted((a, b) => Number(isCritical(b)) - Number(isCritical(a)));
}

/** "2 critical alarms and 1 warning" */
export function countedAlarms(alarms: readonly Alarm[]): string {
  const critical = alarms.filter(isCritical).length;
  const counts = [
    [critical, "critical alarm"],
    [alarms.length - critical, "warning"],
  ] as const;
  return counts.flatMap(([count, name]) => (count === 0 ? [] : [counted(count, name)])).join(" and ");
}

/** Alarms of one trouble, for which one text tells what it means and what to do: together, in the order of the first of each. */
export function byTrouble(alarms: readonly Alarm[]): Alarm[][] {
  return [...Map.groupBy(alarms, troubleOf).values()];
}

/** The same for all of one trouble, whichever of them are open. */
export function troubleOf({ severity, trouble, meaning, remedy }: Alarm): string {
  return JSON.stringify([severity, trouble, meaning, remedy]);
}

/** What this page does not know is not taken lightly. */
export function isCritical({ severity }: Alarm): boolean {
  return severity !== "warning";
}

const audit = shape({
  auditor: oneOf("running", "off"),
  since: optional(text),
  lastPass: optional(text),
  logs: list(
    shape({
      log: text,
      size: optional(decimal),
      verifiedSize: decimal,
      root: optional(text),
      lastCheckpoint: optional(text),
      lagSeconds: optional(number),
    }),
  ),
  checks: list(check),
  alarms: list(alarm),
  canary: shape({
    lastSuccess: optional(text),
    latencyMillis: optional(number),
    failures: number,
    identities: optional(list(text)),
  }),
});
export type Audit = Shaped<typeof audit>;

export function fetchAudit(signal?: AbortSignal): Promise<Answer<Audit>> {
  return ask("/audit", audit, {}, signal);
}

const MINUTE = 60_000;

/** For all on a page that want to know it, asked once a minute. */
export const lastAudit = new AtMostEvery(MINUTE, () => fetchAudit(), Date.now);

const canaryKeys = shape({ keys: list(text) });

/** A canary is logged each minute: whoever asks for entries later than this asks anew. */
const CANARY_KEYS_MS = 10_000;

/** The first half of the fingerprint of each key that the auditor's canary signed by. None where no auditor runs, or does not answer. */
const lastCanaryKeys = new AtMostEvery(
  CANARY_KEYS_MS,
  async (): Promise<ReadonlySet<string>> => {
    const answer = await ask("/audit/canary-keys", canaryKeys);
    return new Set(answer.kind === "answered" ? answer.value.keys : []);
  },
  Date.now,
);

export function fetchCanaryKeys(): Promise<ReadonlySet<string>> {
  return lastCanaryKeys.ask();
}
