import type { AuditView } from "../audit-view.ts";

/**
 * For whoever looks at readiness alone: what was changed or damaged stops no log from taking entries, and `/readyz` is 200.
 * How many and since when; what they say is for those who may read it.
 */
export function auditWarning(view: AuditView): string | undefined {
  const open = view
    .status()
    .alarms.filter(({ severity, resolved }) => severity === "critical" && resolved === undefined);
  const [first] = open.map(({ since }) => since).toSorted();
  if (first === undefined) return undefined;
  const alarms = open.length === 1 ? "1 critical alarm is open" : `${open.length} critical alarms are open`;
  return `${alarms}, since ${first}: what to do stands on the health page and at /api/chancery/v1/audit`;
}
