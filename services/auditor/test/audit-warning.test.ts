import { Metrics, ReadinessRegistry } from "@chancery/service";
import { expect, test } from "vitest";
import { AUDITOR_OFF } from "../src/audit-view.ts";
import { AuditorModule } from "../src/auditor.module.ts";
import type { Alarm } from "../src/domain/alarm.ts";

const alarm = (since: string, more: Partial<Alarm> = {}): Alarm => ({
  id: since,
  since,
  severity: "critical",
  check: "entries of rekor",
  trouble: "changed-entry",
  what: "entry 5 is not the one that was logged",
  meaning: "",
  remedy: "",
  evidence: null,
  ...more,
});

/** What /readyz shows beside its state. */
function warningsOf(alarms: readonly Alarm[]) {
  const readiness = new ReadinessRegistry();
  const view = { ...AUDITOR_OFF, status: () => ({ ...AUDITOR_OFF.status(), alarms }) };
  const module = new AuditorModule(view, new Metrics(), readiness);
  expect(module).toBeDefined();
  return readiness.warnings();
}

test("whoever looks at readiness alone hears of critical alarms that are open, and not what they say", () => {
  const [morning, noon] = ["2026-11-22T08:00:00.000Z", "2026-11-22T12:00:00.000Z"];
  expect(warningsOf([alarm(noon), alarm(morning)])).toEqual([
    {
      service: "auditor",
      warning: `2 critical alarms are open, since ${morning}: what to do stands on the health page and at /api/chancery/v1/audit`,
    },
  ]);
  expect(warningsOf([alarm(noon)])[0]?.warning).toContain("1 critical alarm is open");
});

test("what is over, or no more than a warning, is no warning of readiness", () => {
  expect(warningsOf([alarm("a", { resolved: "b" }), alarm("c", { severity: "warning" })])).toEqual([]);
  expect(warningsOf([])).toEqual([]);
});
