import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turns } from "../src/domain/turns.ts";

test("a thousand entries at once leave every turn of the event loop to others too", async () => {
  const turns = new Turns(16);
  const perTurn: number[] = [];
  const all = Promise.all(
    Array.from({ length: 1_000 }, async () => {
      await turns.next();
      perTurn.push(perTurn.pop() ?? 0);
      perTurn[perTurn.length - 1]!++;
    }),
  );
  const others = new AbortController();
  void all.then(() => others.abort());
  while (!others.signal.aborted) {
    perTurn.push(0);
    await setImmediate();
  }
  expect(perTurn.reduce((sum, count) => sum + count, 0)).toBe(1_000);
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(32);
});

test("they go on in the order in which they came", async () => {
  const turns = new Turns(4);
  const order: number[] = [];
  const each = async (place: number) => {
    await turns.next();
    order.push(place);
  };
  await Promise.all(Array.from({ length: 50 }, (_, place) => each(place)));
  expect(order).toEqual([...order].toSorted((a, b) => a - b));
  expect(order).toHaveLength(50);
});

test("one alone does not wait", async () => {
  const turns = new Turns(2);
  let waited = false;
  const later = setImmediate().then(() => (waited = true));
  await turns.next();
  expect(waited).toBe(false);
  await later;
  await turns.next();
  await turns.next();
});
