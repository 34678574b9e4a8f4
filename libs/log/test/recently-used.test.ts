import { expect, test } from "vitest";
import { RecentlyUsed } from "../src/recently-used.ts";
import { range } from "./world.ts";

test("keeps what is asked for again and again, whatever else comes", () => {
  const values = new RecentlyUsed<number>(10);
  values.set("favourite", 0);
  for (const at of range(100)) {
    values.set(String(at), at);
    expect(values.get("favourite")).toBe(0);
  }
});

test("keeps the last half at least of what there is room for, and never more than all", () => {
  const values = new RecentlyUsed<number>(10);
  for (const at of range(100)) values.set(String(at), at);
  expect(range(5, 95).map((at) => values.get(String(at)))).toEqual(range(5, 95));
  expect(range(100).filter((at) => values.get(String(at)) !== undefined).length).toBeLessThanOrEqual(10);
});

test("has what was set last", () => {
  const values = new RecentlyUsed<number>(4);
  values.set("a", 1);
  values.set("b", 2);
  values.set("a", 3);
  expect([values.get("a"), values.get("b"), values.get("c")]).toEqual([3, 2, undefined]);
});
