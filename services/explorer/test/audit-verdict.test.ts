import { expect, test } from "vitest";
import type { Audit, AuditCheck } from "../src/web/api/audit.ts";
import { auditVerdict } from "../src/web/api/audit-verdict.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");

const check = (state: AuditCheck["state"], name = "leaves"): AuditCheck => ({
  name,
  state,
  what: "x",
  at: undefined,
  meaning: undefined,
  remedy: undefined,
  evidence: undefined,
});

const judged = (secondsAgo: number | undefined, states: readonly AuditCheck["state"][] = ["passed"]) => {
  const audit: Audit = {
    auditor: "running",
    since: "2026-03-01T00:00:00Z",
    lastPass: secondsAgo === undefined ? undefined : new Date(NOW - secondsAgo * 1000).toISOString(),
    logs: [],
    checks: states.map((state, at) => check(state, `check ${at}`)),
    alarms: [],
    canary: { failures: 0, lastSuccess: undefined, latencyMillis: undefined, identities: undefined },
  };
  return auditVerdict(audit, NOW);
};

test("an auditor that looked just now and could tell of everything is green", () => {
  expect(judged(2)).toMatchObject({ tone: "good", words: "Last pass 2026-03-01 11:59:58 UTC (2 seconds ago)." });
  expect(judged(60).tone).toBe("good");
});

test.for([61, 3_600, 86_400 * 30])("an auditor that stood still %i seconds ago is not green", (seconds) => {
  expect(judged(seconds)).toMatchObject({ tone: "warn", title: "The auditor stands still, or a clock is wrong" });
});

test("a last pass that lies ahead, or is no time, is not green", () => {
  expect(judged(-61)).toMatchObject({ tone: "warn", words: expect.stringContaining("clock is wrong") });
  const nonsense = { auditor: "running", lastPass: "yesterday", checks: [], alarms: [], logs: [] };
  expect(auditVerdict(nonsense as unknown as Audit, NOW).tone).toBe("warn");
});

test("an auditor that could tell nothing, or not all, is not green, and says of what", () => {
  expect(judged(1, ["unknown", "unknown"])).toMatchObject({ tone: "warn", words: expect.stringContaining("check 1") });
  expect(judged(1, ["passed", "unknown"]).words).toMatch(/: check 1\. Each says below why/);
  const many = Array.from({ length: 9 }, () => "unknown" as const);
  expect(judged(1, many).words).toMatch(/check 4 and 4 more\./);
});

test("a failing check is red before its alarm is there, and no pass is a warning", () => {
  expect(judged(1, ["unknown", "failing"])).toMatchObject({ tone: "bad", words: expect.stringMatching(/^check 1\./) });
  expect(judged(undefined)).toMatchObject({ tone: "warn", words: expect.stringContaining("(12 hours ago)") });
});
