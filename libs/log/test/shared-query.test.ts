import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { SharedQuery } from "../src/shared-query.ts";
import { range } from "./world.ts";

/** A query that is answered when the test says so. */
function queries() {
  const asked: { keys: readonly number[]; answers: PromiseWithResolvers<number[]> }[] = [];
  const shared = new SharedQuery<number, number>((keys) => {
    const answers = Promise.withResolvers<number[]>();
    asked.push({ keys, answers });
    return answers.promise;
  });
  let answered = 0;
  const answerNext = () => {
    const { keys, answers } = asked[answered++]!;
    answers.resolve(keys.map((key) => key * 10));
  };
  return { shared, asked, answerNext };
}

describe("look-ups that share queries", () => {
  test("go together when they come in one turn, or while others are being answered", async () => {
    const { shared, asked, answerNext } = queries();
    const first = Promise.all([shared.ask(1), shared.ask(2)]);
    await nextTurn();
    const second = shared.ask(3);
    await nextTurn();
    const third = Promise.all(range(3, 4).map((key) => shared.ask(key)));
    await nextTurn();
    expect(asked.map(({ keys }) => keys)).toEqual([[1, 2], [3]]);
    answerNext();
    expect(await first).toEqual([10, 20]);
    await nextTurn();
    expect(asked.at(-1)?.keys).toEqual([4, 5, 6]);
    answerNext();
    answerNext();
    expect(await second).toBe(30);
    expect(await third).toEqual([40, 50, 60]);
  });

  test("fail together, and the next ones do not", async () => {
    let fails = true;
    const shared = new SharedQuery<number, number>(async (keys) => {
      if (fails) throw new Error("away");
      return [...keys];
    });
    const answers = await Promise.allSettled([shared.ask(1), shared.ask(2)]);
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    fails = false;
    expect(await shared.ask(3)).toBe(3);
  });

  test("are never left without an answer", async () => {
    const shared = new SharedQuery<number, number>(async () => []);
    await expect(shared.ask(1)).rejects.toThrow("other than it was asked");
  });

  test("all get their own, however many there are", async () => {
    const largest: number[] = [];
    const shared = new SharedQuery<number, number>(async (keys) => {
      largest.push(keys.length);
      await nextTurn();
      return keys.map((key) => key + 1);
    });
    expect(await Promise.all(range(1000).map((key) => shared.ask(key)))).toEqual(range(1000, 1));
    expect(Math.max(...largest)).toBeLessThanOrEqual(32);
  });
});
