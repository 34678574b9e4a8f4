import { expect, test } from "vitest";
import { type Alarm, byTrouble, countedAlarms, openAlarms } from "../src/web/api/audit.ts";

const alarm = (severity: string, more: Partial<Alarm> = {}): Alarm => ({
  id: "1",
  since: "2026-11-22T00:00:00Z",
  severity,
  check: "edge of rekor",
  trouble: undefined,
  what: "something",
  meaning: "that",
  remedy: "this",
  evidence: undefined,
  again: undefined,
  times: undefined,
  quietSince: undefined,
  resolved: undefined,
  reason: undefined,
  ...more,
});
const [critical, warning] = [alarm("critical"), alarm("warning")];

test.for([
  ["1 critical alarm", [critical]],
  ["1 warning", [warning]],
  ["2 warnings", [warning, warning]],
  ["2 critical alarms and 1 warning", [critical, warning, critical]],
  ["1 critical alarm", [alarm("dire")]],
] as const)("open alarms are counted by how bad they are: %s", ([words, alarms]) => {
  expect(countedAlarms(alarms)).toBe(words);
});

test("of what is open the worst comes first, and those of one trouble are together", () => {
  const fork = (id: string) => alarm("critical", { id, trouble: "fork", meaning: "two trees" });
  const over = alarm("critical", { resolved: "2026-11-22T01:00:00Z" });
  const open = openAlarms({ alarms: [warning, fork("2"), over, critical, fork("3")] });
  expect(open).toEqual([fork("2"), critical, fork("3"), warning]);
  expect(byTrouble(open)).toEqual([[fork("2"), fork("3")], [critical], [warning]]);
});
