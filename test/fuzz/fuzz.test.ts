import { expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";

// A small part of what `fuzz` sends: with a seed of its own, so that it never fails by chance.
test("two thousand requests that are nearly good are all answered, none with 500, by a process that lives", async () => {
  const { answers, bad, survived, complaints } = await fuzz({ requests: 2_000, seed: 1, clients: 8 });
  expect(bad.map(({ index, request, outcome }) => ({ index, path: request.path, outcome }))).toEqual([]);
  expect(survived).toBe(true);
  expect(complaints).toEqual([]);
  // It does reach what it is about: entries are logged, found again, and refused for many reasons.
  for (const status of ["200", "201", "400", "409", "422"]) expect(answers.get(status) ?? 0).toBeGreaterThan(10);
});
