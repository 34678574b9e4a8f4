import { afterAll, beforeAll, expect, test } from "vitest";
import { Dice, minutes, times } from "./rig/dice.ts";
import { FaultSite, report } from "./rig/site.ts";

let site: FaultSite;

beforeAll(async () => {
  site = await FaultSite.open();
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

const DAY = 86_400_000;
const STEPS = times(10);

test(
  `tree heads stay monotonic through ${STEPS} steps of the clock`,
  async () => {
    const dice = new Dice("clock");
    const log = await site.log();
    const offsets = [0, 0];
    const nodes = [await log.openNode({ create: true }), await log.openNode()];
    const load = (at: number) => nodes[at]!.order("load", { prefix: `${at}-${log.journal.signed.length}`, clients: 6 });
    await load(0);
    await load(1);
    for (let steps = 0; steps < STEPS; steps++) {
      // One of the two machines, so that they also disagree with each other.
      const at = dice.between(0, 1);
      offsets[at]! += steps % 2 === 0 ? -DAY : 365 * DAY;
      if (dice.chance(0.3)) {
        // A clock that is wrong at start.
        await nodes[at]!.kill();
        nodes[at] = await log.openNode({ clockOffset: offsets[at]! });
        await load(at);
      } else await nodes[at]!.order("clock", { offset: offsets[at]! });
      for (const node of nodes) await node.acknowledges(10_000, 20);
    }
    // The signatures of one process, in the order it made them, and across processes by size: `judge` looks at both.
    await Promise.all(nodes.map((node) => node.order("quiet", {})));
    await log.end();
    const verdict = await log.check();
    expect(log.journal.refusals).toEqual([]);
    const moments = log.journal.signed.map(({ time }) => time);
    expect(Math.max(...moments) - Math.min(...moments)).toBeGreaterThan(300 * DAY);
    report("clock a day back, a year forward", { steps: STEPS }, verdict);
  },
  minutes(3),
);
