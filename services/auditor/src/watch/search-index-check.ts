import type { Report } from "../domain/alarm.ts";
import { type AuditedLog, storedName } from "../public/served-log.ts";
import { awayFinding } from "./away.ts";

/** Holds all that a log is found by against its entries, both ways; resolves to what is other. `alive` is called as it goes on. */
export type VerifyIndex = (log: string, signal: AbortSignal, alive?: () => void) => Promise<readonly string[]>;

interface Around {
  readonly report: Report;
  readonly signal: AbortSignal;
}

const UNREACHABLE_MS = 60_000;

/** With the search's own code, where the auditor is given it: it alone knows every kind of entry. */
export async function checkSearchIndex(
  log: AuditedLog,
  verifyIndex: VerifyIndex | undefined,
  { report, signal }: Around,
): Promise<void> {
  const { name } = log;
  const check = `search index of ${name}`;
  if (verifyIndex === undefined) return;
  try {
    const [first, ...others] = await verifyIndex(storedName(log), signal);
    if (first === undefined) {
      report.passed(check, "all that entries are found by is theirs, and nothing is missing");
    } else {
      const what = `the search index of ${name} is other than its entries: ${first}`;
      await report.failed(check, { trouble: "changed-index", what, evidence: { first, others } });
    }
  } catch (error) {
    const away = { toleratedMs: UNREACHABLE_MS, beside: "database" } as const;
    await report.failed(check, awayFinding(`the search index of ${name} could not be read`, error, away));
  }
}
