import type { Alarm } from "./alarm.ts";

/** Resolved warnings are kept for whoever asks what happened last night. */
const MOST_RESOLVED = 200;
/** Resolved critical ones are kept for whoever asks what happened last quarter, however many came after. */
const KEPT_MS = 90 * 86_400_000;
/** What comes back within this is the same again: whoever makes an alarm come and go pushes no other out of sight. */
const AGAIN_MS = 3_600_000;
/** What came more often than this within an hour of the time before is over when it was quiet for as long as this. */
const MOST_TIMES = 5;
const QUIET_MS = 600_000;
/** The evidence of each time, where it says something else; then the last stands for the others. */
const MOST_EVIDENCE = 10;

/** What makes two alarms the same thing that is wrong. */
export type Identity = Pick<Alarm, "check" | "trouble" | "what" | "subject"> & { readonly isOneOfMany: boolean };

/** The alarm that was over a while ago and is of the same. */
export function lastTime(alarms: readonly Alarm[], sought: Identity, now: number): Alarm | undefined {
  return alarms.find(({ resolved, check, trouble, subject, what }) => {
    if (resolved === undefined || check !== sought.check || trouble !== sought.trouble) return false;
    if (subject !== sought.subject || now - Date.parse(resolved) > AGAIN_MS) return false;
    return subject !== undefined || !sought.isOneOfMany || what === sought.what;
  });
}

export function hasNewEvidence({ times = 1, what }: Alarm, now: string): boolean {
  return what !== now && times < MOST_EVIDENCE;
}

/** It is open again, and says what is wrong now. */
export function reopened(
  last: Alarm,
  { what, evidence, again }: Pick<Alarm, "what" | "evidence"> & { again: string },
): Alarm {
  const { resolved: _, reason: __, times = 1, ...alarm } = last;
  return { ...alarm, what, evidence, again, times: times + 1 };
}

/** Nobody sees it any more: it is over, or waits for whether it comes back. */
export function ended(alarm: Alarm, time: string, reason: string | undefined): Alarm {
  if (reason === undefined && (alarm.times ?? 1) > MOST_TIMES) return { quietSince: time, ...alarm };
  const { quietSince: _, ...over } = alarm;
  return { ...over, resolved: time, ...(reason !== undefined && { reason }) };
}

export function isQuietForLong({ quietSince }: Alarm, now: number): boolean {
  return quietSince !== undefined && now - Date.parse(quietSince) >= QUIET_MS;
}

export function seenAgain(alarm: Alarm): Alarm {
  const { quietSince: _, ...seen } = alarm;
  return seen;
}

/** The newest first, without what nobody asks for any more. */
export function kept(alarms: readonly Alarm[], now: number): Alarm[] {
  let warnings = 0;
  return alarms.filter(({ resolved, severity }) => {
    if (resolved === undefined) return true;
    return severity === "critical" ? now - Date.parse(resolved) < KEPT_MS : ++warnings <= MOST_RESOLVED;
  });
}
