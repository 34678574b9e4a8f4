import { describePlace, type Difference, type Place, subjectOf } from "../domain/difference.ts";
import type { Trouble } from "../domain/troubles.ts";

/** What a check of its own words found. */
export class Wrong extends Error {
  readonly trouble: Trouble;
  readonly evidence: object | undefined;
  /** As a finding's. */
  readonly subject: string | undefined;

  constructor(trouble: Trouble, what: string, evidence?: object, subject?: string) {
    super(what);
    this.name = "Wrong";
    this.trouble = trouble;
    this.evidence = evidence;
    this.subject = subject;
  }
}

/** It could not be told, for a reason that is an alarm of another check, or none. */
export class Unchecked extends Error {
  override readonly name = "Unchecked";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Of what a log holds: what a difference is called, and where it is. */
export function wrongOf(log: string, difference: Difference): Wrong {
  const { place, expected, found, message } = difference;
  const evidence = { place: describePlace(place), expected, found };
  return new Wrong(troubleOf(place), `${log}, ${message}`, evidence, subjectOf(log, place));
}

function troubleOf(place: Place): Trouble {
  if (place.kind === "tile") return "changed-tile";
  if (place.kind === "entry") return "changed-entry";
  if (place.kind === "checkpoint") return place.field.startsWith("root") ? "fork" : "bad-signature";
  return "changed-state";
}
