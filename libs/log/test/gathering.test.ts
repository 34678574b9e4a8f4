import { expect, test } from "vitest";
import { gatheringTime, type LastBatch } from "../src/gathering.ts";

const last = (batch: Partial<LastBatch> = {}): LastBatch => ({ entries: 16, began: 100, ended: 105, ...batch });

test("the next batch of many begins when the last has been over for twice its time", () => {
  expect(gatheringTime(last(), 1, 105)).toBe(10);
  expect(gatheringTime(last(), 16, 109)).toBe(6);
  expect(gatheringTime(last(), 1, 116)).toBeLessThan(0);
});

test("who writes alone or with a few waits for nobody", () => {
  expect(gatheringTime(undefined, 1, 0)).toBe(0);
  expect(gatheringTime(last({ entries: 1 }), 1, 105)).toBe(0);
  expect(gatheringTime(last({ entries: 7 }), 1, 105)).toBe(0);
  expect(gatheringTime(last({ entries: 8 }), 1, 105)).toBe(10);
});

test("where enough wait already the batch begins at once", () => {
  expect(gatheringTime(last(), 47, 105)).toBe(10);
  expect(gatheringTime(last(), 48, 105)).toBe(0);
});

test("nobody waits longer for others because the disk was slow", () => {
  expect(gatheringTime(last({ ended: 5100 }), 1, 5100)).toBe(14);
});
