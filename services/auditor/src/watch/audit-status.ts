import { type Alarm, type CheckStatus, timeOf } from "../domain/alarm.ts";
import type { Canary } from "./canary.ts";
import type { LogView } from "./log-view.ts";

export interface AuditStatus {
  readonly auditor: "running" | "off";
  readonly since: string | null;
  readonly lastPass: string | null;
  readonly logs: readonly LogView[];
  readonly checks: readonly CheckStatus[];
  readonly alarms: readonly Alarm[];
  readonly canary: CanaryStatus;
}

export interface CanaryStatus {
  readonly lastSuccess: string | null;
  readonly latencyMillis: number | null;
  readonly failures: number;
  readonly identities: readonly string[];
}

export function canaryStatus(canary: Canary | undefined): CanaryStatus {
  const { lastSuccess, latencyMillis, failures, identities } = canary?.view() ?? { failures: 0, identities: [] };
  return {
    lastSuccess: lastSuccess === undefined ? null : timeOf(lastSuccess),
    latencyMillis: latencyMillis ?? null,
    failures,
    identities,
  };
}
