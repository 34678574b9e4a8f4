import { expect, test } from "vitest";
import { AtMostEvery } from "../src/web/api/at-most-every.ts";

test("the auditor is asked no more than once a minute, through however many pages one goes", async () => {
  let [now, asked] = [0, 0];
  const audit = new AtMostEvery(
    60_000,
    async () => ++asked,
    () => now,
  );
  const answers: number[] = [];
  for (now = 0; now <= 120_000; now += 10_000) answers.push(await audit.ask());
  expect(answers).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3]);
});
