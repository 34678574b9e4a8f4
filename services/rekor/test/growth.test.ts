import { expect, test } from "vitest";
import { growth } from "../src/domain/search/growth.ts";

const HOUR = 3_600_000;

test("a log whose newest entry is damaged still tells how it grew, up to now", async () => {
  const entries = [1, 2, 5].map((hours) => hours * HOUR);
  const newest = entries.at(-1) ?? 0;
  const tree = {
    published: async () => ({ head: { size: 3n }, time: newest }),
    lookup: {
      sizesAt: async (times: readonly number[]) => {
        // A bisection for a time behind the newest entry ends at it.
        if (times.some((time) => time > newest)) throw new Error("an entry of the published tree is missing");
        return times.map((time) => {
          const older = BigInt(entries.filter((at) => at < time).length);
          return { least: older, most: older };
        });
      },
    },
  };
  const points = await growth([tree], { from: 0, to: 8 * HOUR + 1, interval: "hour" });
  expect(points.map(({ size }) => Number(size))).toEqual([0, 0, 1, 2, 2, 2, 3, 3, 3, 3]);
});
