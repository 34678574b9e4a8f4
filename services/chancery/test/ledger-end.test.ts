import { expect, test } from "vitest";
import { latestEnd } from "../src/export/ledger-export.ts";

test("an export of refusals leaves out no count that is written a minute after its first refusal", () => {
  const now = 1_000_000;
  expect(latestEnd("refusals", now)).toBeLessThan(now - 60_000);
  expect(latestEnd("certificates", now)).toBe(now);
});
