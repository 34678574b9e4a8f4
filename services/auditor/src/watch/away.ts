import { Misconfigured } from "@chancery/fault";
import type { Finding } from "../domain/alarm.ts";
import { isObject, isText } from "../domain/json-member.ts";
import { isOutOfService, Refused, Unanswered } from "../public/http-log.ts";
import { messageOf } from "./wrong.ts";

/** What is unreachable for less wakes nobody: a restart takes some seconds. */
const UNREACHABLE_MS = 30_000;
/** A server that answers, and says that it does not serve, most often starts. */
const OUT_OF_SERVICE_MS = 60_000;

interface Source {
  readonly toleratedMs?: number;
  /** Who else but a server may not have answered. */
  readonly beside?: "database";
}

/** That something `couldNot` be done, because somebody does not answer: one alarm for each server, however many checks ask it. */
export function awayFinding(
  couldNot: string,
  error: unknown,
  { toleratedMs = UNREACHABLE_MS, beside }: Source = {},
): Finding {
  if (error instanceof Misconfigured) {
    return { trouble: "memory-lost", what: `${couldNot}: ${messageOf(error)}` };
  }
  if (!(error instanceof Unanswered)) {
    const what = `${couldNot}: ${messageOf(error)}`;
    return { trouble: "unreachable", what, toleratedMs, subject: beside };
  }
  const subject = `server ${error.server}`;
  if (!(error instanceof Refused) || !isOutOfService(error)) {
    return { trouble: "unreachable", what: `${couldNot}: ${error.message}${saidBy(error)}`, toleratedMs, subject };
  }
  const what = `${error.server} answers ${error.status}${saidBy(error)}; ${couldNot} (${error.message})`;
  return { trouble: "out-of-service", what, toleratedMs: Math.max(toleratedMs, OUT_OF_SERVICE_MS), subject };
}

/** The reason in an answer: the member `message` of ours and of upstream's. */
function saidBy(error: Unanswered): string {
  if (!(error instanceof Refused) || error.said === "") return "";
  try {
    const answer: unknown = JSON.parse(error.said);
    const message = isObject(answer) ? answer["message"] : undefined;
    return isText(message) ? `: ${message}` : "";
  } catch {
    return `: ${error.said}`;
  }
}
