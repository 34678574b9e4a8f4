import { Pushback } from "@chancery/fault";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BodyBudget, type IncomingBody } from "../src/body-budget.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const LIMIT = 100;

/** Announced and never sent. */
class Stalled implements IncomingBody {
  gaveWay = 0;
  isComplete = () => false;
  received = () => 0;
  giveWay = () => void this.gaveWay++;
}

/** Bodies that begin, and some of them end, once or twice, in this order. */
function begin(budget: BodyBudget, ends: readonly number[]) {
  const held: { readonly body: Stalled; readonly end: () => void }[] = [];
  const ended: typeof held = [];
  for (const at of ends) {
    const body = new Stalled();
    held.push({ body, end: budget.take(1, body) });
    if (at % 2 === 0) ended.push(...held.splice(at % held.length, 1));
    for (const { end } of ended) end();
  }
  return { held, ended };
}

const ENDS = fc.array(fc.nat(99), { minLength: 1, maxLength: 60 });

test("what bodies held is given back once, in whatever order they end", () => {
  fc.assert(
    fc.property(ENDS, (ends) => {
      const budget = new BodyBudget(LIMIT);
      const { held } = begin(budget, ends);
      expect(budget.taken).toBe(held.length);
      for (const { end } of held) end();
      expect(budget.taken).toBe(0);
    }),
  );
});

test("each slow body gives way to one that is refused, and none that ended is asked to, in whatever order they ended", () => {
  fc.assert(
    fc.property(ENDS, (ends) => {
      const budget = new BodyBudget(LIMIT);
      const { held, ended } = begin(budget, ends);
      expect(() => budget.take(LIMIT + 1, new Stalled())).toThrow(Pushback);
      vi.advanceTimersByTime(250);
      expect(() => budget.take(LIMIT + 1, new Stalled())).toThrow(Pushback);
      vi.advanceTimersByTime(250);
      expect(held.filter(({ body }) => body.gaveWay > 0)).toEqual([]);
      for (let quarter = 0; quarter < 3; quarter++) {
        expect(() => budget.take(LIMIT + 1, new Stalled())).toThrow(Pushback);
        vi.advanceTimersByTime(250);
      }
      expect(held.filter(({ body }) => body.gaveWay === 0)).toEqual([]);
      expect(ended.filter(({ body }) => body.gaveWay > 0)).toEqual([]);
      vi.advanceTimersByTime(1_000);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 50 },
  );
});
