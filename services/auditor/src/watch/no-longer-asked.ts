import { withoutEndSlashes } from "../public/http-log.ts";
import { isUnnamed } from "./certificate-checks.ts";

/** What this auditor was told to look at, as far as alarms of before are about it. */
export interface Looked {
  /** Names of logs. */
  readonly logs: readonly string[];
  /** URLs of the installation: its own, and vantage points. */
  readonly places: readonly string[];
  /** Where logs are read. */
  readonly served: readonly string[];
  readonly folders: readonly string[];
  readonly hasWebhook: boolean;
  readonly hasTimeServers: boolean;
}

const OF_A_LOG = / (?<log>rekor(?:-shard-\d+)?|rekor-v2|ctlog\/[^ ]+)(?: at (?<place>\S+))?$/;

const SHOWN_AT = /^(?:checkpoint|trust files|trust root) at (?<place>\S+)$/;
const OF_CLIENTS = /\/api\/v1\/log(?:\/checkpoint)?$/;

/** Why a check that raised an alarm before is not made any more; undefined: it is, or it is not known to be gone. */
export function whyNotAsked(check: string, { logs, places, served, folders, hasWebhook, hasTimeServers }: Looked) {
  const { log, place } = OF_A_LOG.exec(check)?.groups ?? {};
  const shownAt = place ?? SHOWN_AT.exec(check)?.groups?.["place"];
  if (shownAt !== undefined && !places.some((one) => shownAt.startsWith(`${withoutEndSlashes(one)}/`))) {
    return `${shownAt} is no longer one of this auditor's vantage points`;
  }
  if (place !== undefined && OF_CLIENTS.test(place) && log !== undefined && !served.includes(place)) {
    return "what clients are shown who name no tree is one check a place, whatever tree it is of";
  }
  if (log !== undefined && !logs.includes(log)) {
    return `${log} is neither named by the trusted root nor remembered in this auditor's folder`;
  }
  const folder = /^disk of (?<folder>.*)$/.exec(check)?.groups?.["folder"];
  if (folder !== undefined && !folders.includes(folder)) return `${folder} is no longer one of this auditor's folders`;
  if (isUnnamed(check)) return "certificates are checked by the CT log that holds them, under its name";
  if (check === "webhook" && !hasWebhook) return "there is no webhook any more";
  if (check === "clock and time servers" && !hasTimeServers) return "there are no time servers any more";
  return undefined;
}
