import { expect, test } from "vitest";
import type { Finding } from "../src/domain/alarm.ts";
import { TROUBLES } from "../src/domain/troubles.ts";
import { HostWatch } from "../src/watch/host-watch.ts";

test.for([
  [5_000, "warning"],
  [120_000, "critical"],
] as const)("a clock that is set by %i ms at once, as a resumed machine's is, is a %s", async ([step, severity]) => {
  let now = Date.parse("2026-11-21T12:00:00Z");
  const failed: Finding[] = [];
  const report = {
    passed: () => {},
    unknown: () => {},
    notAsked: () => {},
    failedAll: async () => {},
    failed: async (_: string, finding: Finding) => void failed.push(finding),
  };
  const fetch = async () => new Response("", { headers: { date: new Date(now).toUTCString() } });
  const around = { way: { fetch }, report, now: () => now, elapsed: () => 0, db: undefined, folders: [] };
  const watch = new HostWatch("http://host.example", around);
  await watch.check();
  expect(failed).toEqual([]);
  now += step;
  await watch.check();
  expect(failed.map(({ trouble }) => TROUBLES[trouble].severity)).toEqual([severity]);
  await watch.check();
  expect(failed).toHaveLength(1);
});
