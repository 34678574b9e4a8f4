import { ago, utcTime } from "../text/time.ts";
import type { Audit } from "./audit.ts";

export interface AuditVerdict {
  readonly tone: "good" | "warn" | "bad";
  readonly title: string;
  readonly words: string;
}

/** A pass takes two seconds on a log that grows: an auditor that is this late stands still. */
const MOST_SILENT_MS = 60_000;

/**
 * What an auditor without an open alarm is worth. Green only where it has looked just now and could tell of every check:
 * one that was stopped, or cut off from what it judges, has nothing to complain about either.
 */
export function auditVerdict({ checks, lastPass, since }: Audit, now: number): AuditVerdict {
  if (checks.some(({ state }) => state === "failing")) {
    const words = `${names(checks, "failing")}. What passes by itself is no alarm yet.`;
    return { tone: "bad", title: "A check fails", words };
  }
  if (lastPass === undefined) {
    const words =
      since === undefined ? "It has not told since when it watches." : `It watches since ${told(since, now)}.`;
    return { tone: "warn", title: "The auditor has not finished a pass yet", words };
  }
  const age = now - Date.parse(lastPass);
  // Also of a time that cannot be read.
  if (!(Math.abs(age) <= MOST_SILENT_MS)) {
    return { tone: "warn", title: "The auditor stands still, or a clock is wrong", words: still(lastPass, age, now) };
  }
  const unknown = names(checks, "unknown");
  if (unknown !== "") {
    const words = `It could not tell, or was not asked: ${unknown}. Each says below why. Last pass ${told(lastPass, now)}.`;
    return { tone: "warn", title: "No alarm is open, but not everything is checked", words };
  }
  return {
    tone: "good",
    title: "The auditor has nothing to complain about",
    words: `Last pass ${told(lastPass, now)}.`,
  };
}

function still(lastPass: string, age: number, now: number): string {
  const last = `Its last pass was ${told(lastPass, now)}, by this computer's clock`;
  if (age < 0) return `${last}: it or the server's clock is wrong, so how old what it found is cannot be told.`;
  return `${last}. What it says is as of then: it has not looked since.`;
}

const MOST_NAMED = 5;

function names(checks: Audit["checks"], asked: Audit["checks"][number]["state"]): string {
  const found = checks.filter(({ state }) => state === asked).map(({ name }) => name);
  const more = found.length - MOST_NAMED;
  return found.slice(0, MOST_NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function told(time: string, now: number): string {
  return `${utcTime(time)} (${ago(time, now)})`;
}
