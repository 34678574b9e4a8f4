import type { SignedHead } from "../domain/checkpoint.ts";
import { type AuditedLog, storedName } from "../public/served-log.ts";
import { headsOf } from "./stored-heads.ts";
import { Wrong } from "./wrong.ts";

export function wentBack(log: AuditedLog, before: SignedHead, head: SignedHead): Wrong {
  const what = `${log.name} went back from size ${before.size}${at(before)} to ${head.size}${at(head)}`;
  return new Wrong("rollback", what, undefined, headsOf(storedName(log)));
}

/** Times may be equal: a log signs one head a millisecond at most, and Rekor's tell none. */
export function isOlder(head: SignedHead, than: SignedHead): boolean {
  return head.size < than.size || (head.time ?? 0n) < (than.time ?? 0n);
}

function at({ time }: SignedHead): string {
  return time === undefined ? "" : ` (${new Date(Number(time)).toISOString()})`;
}
