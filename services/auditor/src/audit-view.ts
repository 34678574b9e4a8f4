import type { AuditStatus } from "./watch/audit-status.ts";

/** What can be asked of an auditor. */
export interface AuditView {
  status(): AuditStatus;
  evidence(name: string): Promise<Uint8Array | undefined>;
  /** The first half of the SHA-256 of each key that the canary signed by, the newest first. */
  canaryKeys(): Promise<readonly string[]>;
}

export const AUDIT_VIEW = Symbol("audit view");

/** Where no auditor runs: it is said, and nothing is claimed. */
export const AUDITOR_OFF: AuditView = {
  status: () => ({
    auditor: "off",
    since: null,
    lastPass: null,
    logs: [],
    checks: [],
    alarms: [],
    canary: { lastSuccess: null, latencyMillis: null, failures: 0, identities: [] },
  }),
  evidence: async () => undefined,
  canaryKeys: async () => [],
};
