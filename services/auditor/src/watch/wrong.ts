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
