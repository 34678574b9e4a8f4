import { Gauge, type Registry } from "prom-client";
import type { AuditView } from "../audit-view.ts";

/** The auditor's series, read from its state whenever they are scraped. */
export function countAudit(view: AuditView, registry: Registry): void {
  for (const gauge of [...checkGauges(view), ...logGauges(view)]) registry.registerMetric(gauge);
}

function checkGauges(view: AuditView) {
  const passed = new Gauge({
    name: "chancery_audit_check_passed",
    help: "1 where a check passed when it was last made, 0 where it failed; none where it could not be told, or is not made any more.",
    labelNames: ["check"] as const,
    registers: [],
    collect() {
      this.reset();
      for (const { name, state } of view.status().checks) {
        if (state !== "unknown") this.set({ check: name }, state === "passed" ? 1 : 0);
      }
    },
  });
  const made = new Gauge({
    name: "chancery_audit_check_timestamp_seconds",
    help: "When a check last passed or failed, or it was last told why it could not be.",
    labelNames: ["check"] as const,
    registers: [],
    collect() {
      this.reset();
      for (const { name, at } of view.status().checks) this.set({ check: name }, Date.parse(at) / 1000);
    },
  });
  const alarms = new Gauge({
    name: "chancery_audit_alarms",
    help: "Alarms that are open.",
    labelNames: ["severity"] as const,
    registers: [],
    collect() {
      const open = view.status().alarms.filter(({ resolved }) => resolved === undefined);
      for (const severity of ["critical", "warning"] as const) {
        this.set({ severity }, open.filter((alarm) => alarm.severity === severity).length);
      }
    },
  });
  const pass = new Gauge({
    name: "chancery_audit_last_pass_timestamp_seconds",
    help: "When the auditor last looked at every log. Alarm on its age: an auditor that stopped tells of nothing.",
    registers: [],
    collect() {
      const { lastPass } = view.status();
      if (lastPass !== null) this.set(Date.parse(lastPass) / 1000);
    },
  });
  return [passed, made, alarms, pass];
}

function logGauges(view: AuditView) {
  const size = new Gauge({
    name: "chancery_audit_verified_size",
    help: "Entries of a log that were proven up to its root.",
    labelNames: ["log"] as const,
    registers: [],
    collect() {
      for (const { log, verifiedSize } of view.status().logs) this.set({ log }, Number(verifiedSize));
    },
  });
  const lag = new Gauge({
    name: "chancery_audit_lag_seconds",
    help: "Since a log's newest checkpoint was last seen and proven.",
    labelNames: ["log"] as const,
    registers: [],
    collect() {
      for (const { log, lagSeconds } of view.status().logs) if (lagSeconds !== null) this.set({ log }, lagSeconds);
    },
  });
  return [size, lag];
}
