import type { Queryable } from "@chancery/postgres";
import type { Alarm } from "../domain/alarm.ts";
import type { Way } from "../public/http-log.ts";
import type { LogKeys } from "../public/served-log.ts";
import type { TimeServer } from "../public/sntp-client.ts";
import type { LeftOut, TokenSource } from "./canary.ts";
import { prepared, stoppable } from "./pace.ts";
import type { VerifyIndex } from "./search-index-check.ts";

/** Beside what anyone may read: what an auditor who is let in may look at. */
export interface Insight {
  readonly db: Queryable;
  /** The folder of the anchors, one below it for each log. */
  readonly anchor?: string | undefined;
}

export interface AuditorOptions {
  /** The installation, as it is read. */
  readonly url: string;
  /** Other URLs of the same, through which others read it: they must show the same. */
  readonly vantagePoints?: readonly string[];
  /** The folder of its memory. */
  readonly state: string;
  /** Undefined: those of the installation's trusted root when it was first seen. */
  readonly keys?: LogKeys;
  readonly insight?: Insight | undefined;
  /** What the installation itself has clients trust, by its target's name. Undefined to a stranger, who tells what is added. */
  readonly trustMaterial?: ReadonlyMap<string, Uint8Array> | undefined;
  readonly webhook?: string | undefined;
  readonly verifyIndex?: VerifyIndex | undefined;
  readonly way?: Way;
  /** Where the CA shows its certificates; its own log, unless told. */
  readonly ctLog?: "own" | "other" | "none";
  /** Whether tokens of this issuer of the CA's name another one, which certificates then have; of none, unless told. */
  readonly isFederated?: (issuer: string) => boolean;
  /** Undefined: nothing is written into the logs. */
  readonly canary?:
    | { readonly everyMs: number; readonly token?: TokenSource | undefined; readonly leftOut?: LeftOut }
    | undefined;
  /** Clocks to hold this one against, asked by SNTP; none unless told. */
  readonly timeServers?: readonly TimeServer[] | undefined;
  /** Folders on disks that must not fill up. */
  readonly folders?: readonly string[];
  /** How often new logs are looked for in the trusted root. */
  readonly lookForLogsMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly told: AuditorLog;
}

/** The program's log. */
export interface AuditorLog {
  alarm(alarm: Alarm, text: string): void;
  failed(what: string, error: unknown): void;
}

/** Nothing is asked once the signal has come, and no answer is waited for: what stops must be gone within seconds. */
export function untilStopped(options: AuditorOptions, signal: AbortSignal): AuditorOptions {
  const { insight, way } = options;
  return {
    ...options,
    way: { ...way, signal },
    insight: insight && { ...insight, db: stoppable(prepared(insight.db), signal) },
  };
}
