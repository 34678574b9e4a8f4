import { isIPv6 } from "node:net";
import { join, resolve } from "node:path";
import type { LeftOut, TimeServer } from "@chancery/auditor";
import { Misconfigured } from "@chancery/fault";
import type { OwnSection } from "./config-file.ts";

/** How the auditor beside the services is to work. */
export interface AuditorSettings {
  /** Absolute path. */
  readonly state: string;
  readonly vantagePoints: readonly string[];
  readonly webhook: string | undefined;
  readonly canary: CanarySettings | undefined;
  readonly timeServers: readonly TimeServer[];
}

export interface CanarySettings {
  readonly everyMs: number;
  /** A file with an identity token that something keeps fresh. */
  readonly tokenFile: string | undefined;
  /** Undefined: both. */
  readonly logs: readonly CanaryLog[] | undefined;
}

const CANARY_LOGS = ["rekor", "rekor-v2"] as const;
export type CanaryLog = (typeof CANARY_LOGS)[number];

export const CANARY_SECONDS = 60;

type Section = NonNullable<OwnSection["auditor"]>;

/** Undefined: none runs in this process. */
export function auditorSettings(
  told: { readonly key: string; readonly value: string } | undefined,
  section: Section,
  data: string,
  resolvePath: (path: string) => string = resolve,
): AuditorSettings | undefined {
  if (told !== undefined && told.value !== "on" && told.value !== "off") {
    throw new Misconfigured(told.key, `${told.value} is neither on nor off`);
  }
  if ((told?.value ?? (section.enabled === false ? "off" : "on")) === "off") return undefined;
  return {
    state: section.state === undefined ? join(data, "auditor") : resolvePath(section.state),
    vantagePoints: (section["vantage-points"] ?? []).map((url) => parseUrl("chancery.auditor.vantage-points", url)),
    webhook: section.webhook === undefined ? undefined : parseUrl("chancery.auditor.webhook", section.webhook),
    canary: canarySettings(section.canary, resolvePath),
    timeServers: (section["time-servers"] ?? []).map((one) => parseTimeServer("chancery.auditor.time-servers", one)),
  };
}

/** `false` writes nothing into the logs. */
function canarySettings(canary: Section["canary"], resolvePath: (path: string) => string): CanarySettings | undefined {
  if (canary === false) return undefined;
  const file = canary?.["token-file"];
  return {
    everyMs: (canary?.["every-seconds"] ?? CANARY_SECONDS) * 1000,
    tokenFile: file === undefined ? undefined : resolvePath(file),
    logs: canary?.logs,
  };
}

export function parseUrl(key: string, value: string): string {
  const url = URL.parse(value);
  // A webhook's URL is a secret in itself: the complaint does not repeat it.
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new Misconfigured(key, "is not an absolute http or https URL");
  return value;
}

/** Of the logs that the canary is told to write into, those that it is not. */
export function leftOut(logs: readonly CanaryLog[] | undefined, by: string): LeftOut {
  const others = CANARY_LOGS.filter((name) => logs !== undefined && !logs.includes(name));
  return Object.fromEntries(others.map((name) => [name, `${by} leaves it out`]));
}

export function parseCanaryLog(key: string, name: string): CanaryLog {
  const found = CANARY_LOGS.find((log) => log === name);
  if (found === undefined) throw new Misconfigured(key, `${name} is none of ${CANARY_LOGS.join(", ")}`);
  return found;
}

const NTP_PORT = 123;

/** A host or host:port; an IPv6 address with a port stands in brackets. */
export function parseTimeServer(key: string, value: string): TimeServer {
  const url = URL.parse(`ntp://${isIPv6(value) ? `[${value}]` : value}`);
  const isPlain = url !== null && [url.pathname, url.search, url.hash, url.username, url.password].join("") === "";
  if (!isPlain || url.hostname === "" || url.port === "0")
    throw new Misconfigured(key, `${value} is not a host or host:port`);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: url.port === "" ? NTP_PORT : Number(url.port) };
}
