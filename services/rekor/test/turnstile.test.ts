import { Pushback } from "@chancery/fault";
import { expect, test } from "vitest";
import { Turnstile } from "../src/domain/search/turnstile.ts";

test("so many at once, so many wait in the order they came, the next is pushed back", async () => {
  const turnstile = new Turnstile(2, 2);
  const begun: number[] = [];
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const pass = (at: number) =>
    turnstile.pass(async () => {
      begun.push(at);
      await gates[at]!.promise;
      if (at === 1) throw new Error("fails inside");
      return at;
    });
  const [first, second, third, fourth] = [0, 1, 2, 3].map(pass);
  await expect(pass(4)).rejects.toBeInstanceOf(Pushback);
  expect(begun).toEqual([0, 1]);
  gates[1]!.resolve();
  await expect(second).rejects.toThrow("fails inside");
  expect(begun).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  expect(await Promise.all([first, third, fourth])).toEqual([0, 2, 3]);
  expect(await turnstile.pass(async () => "in again")).toBe("in again");
});
