import type { Alarm } from "./alarm.ts";
import { chatText, plainText } from "./plain-text.ts";

/** What happened, what it means, what to do, where the evidence is. Names of strangers stand in it. */
export function alarmText(alarm: Alarm): string {
  return written(alarm, plainText);
}

/** For a chat, `late` where it could not be told when it was news. */
export function alarmChatText(alarm: Alarm, late = false): string {
  return `${late ? `(Told late: of ${alarm.resolved ?? alarm.again ?? alarm.since}.) ` : ""}${written(alarm, chatText)}`;
}

function written(
  { resolved, reason, severity, check, what, meaning, remedy, evidence, since, times }: Alarm,
  shown: (text: string) => string,
): string {
  const why = reason === undefined ? "" : `. It is not looked at any more: ${shown(reason)}`;
  if (resolved !== undefined) return `RESOLVED (${shown(check)}, since ${since}): ${shown(what)}${why}`;
  const stored = evidence === null ? "" : ` Evidence: ${evidence}`;
  const often = times === undefined ? "" : `, ${times} times since ${since}`;
  return `${severity.toUpperCase()} (${shown(check)}${often}): ${shown(what)}. It means: ${meaning} Do: ${remedy}${stored}`;
}
