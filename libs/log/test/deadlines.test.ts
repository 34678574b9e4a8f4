import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Deadlines } from "../src/deadlines.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const delay = (milliseconds: number, answer: string) =>
  new Promise<string>((resolve) => setTimeout(() => resolve(answer), milliseconds));
const late = () => new Error("late");
const never = () => new Promise<string>(() => {});
/** By name, what became of each. */
function follow(deadlines: Deadlines) {
  const told: Record<string, string> = {};
  const ask = (name: string, answer: Promise<string>) => {
    deadlines.within(answer).then(
      (value) => (told[name] = value),
      (error: unknown) => (told[name] = String(error)),
    );
  };
  return { told, ask };
}

test("each that waits is told so when its own time is over, and no other", async () => {
  const { told, ask } = follow(new Deadlines(1_000, late));
  ask("first", never());
  await vi.advanceTimersByTimeAsync(400);
  ask("second", never());
  ask("quick", delay(10, "an answer"));
  ask("refused", Promise.reject(new Error("no")));
  await vi.advanceTimersByTimeAsync(599);
  expect(told).toEqual({ quick: "an answer", refused: "Error: no" });
  await vi.advanceTimersByTimeAsync(2);
  expect(told).toEqual({ quick: "an answer", refused: "Error: no", first: "Error: late" });
  await vi.advanceTimersByTimeAsync(400);
  expect(told).toEqual({ quick: "an answer", refused: "Error: no", first: "Error: late", second: "Error: late" });
  expect(vi.getTimerCount()).toBe(0);
});

test("who comes while others wait has its whole time, though the first was answered meanwhile", async () => {
  const { told, ask } = follow(new Deadlines(1_000, late));
  for (let at = 0; at < 8; at++) {
    ask(`${at}`, at === 7 ? never() : delay(450, "an answer"));
    await vi.advanceTimersByTimeAsync(300);
  }
  expect(Object.values(told)).toEqual(Array.from({ length: 7 }, () => "an answer"));
  await vi.advanceTimersByTimeAsync(699);
  expect(told["7"]).toBeUndefined();
  await vi.advanceTimersByTimeAsync(2);
  expect(told["7"]).toBe("Error: late");
});

test("nothing is left to wait for once all are answered", async () => {
  const { told, ask } = follow(new Deadlines(1_000, late));
  for (let at = 0; at < 3; at++) ask(`${at}`, delay(5, "an answer"));
  expect(vi.getTimerCount()).toBe(4);
  await vi.advanceTimersByTimeAsync(6);
  expect(Object.keys(told)).toHaveLength(3);
  expect(vi.getTimerCount()).toBe(0);
});
