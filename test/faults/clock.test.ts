import { afterAll, beforeAll, expect, test } from "vitest";
import { Dice, minutes, times } from "./rig/dice.ts";
import type { LogNode } from "./rig/log-node-process.ts";
import { type FaultLog, FaultSite, report, spread } from "./rig/site.ts";

let site: FaultSite;

beforeAll(async () => {
  site = await FaultSite.open();
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

const DAY = 86_400_000;
const STEPS = times(10);
const BEHIND = /the clock stands 24 hours behind the newest tree head/;
const AHEAD = /the clock jumped 365 days ahead/;
/** In turn; a clock that is ahead when its process starts is a test of its own. */
const WAYS = [
  { offset: -DAY, at: "while it runs", reason: BEHIND },
  { offset: 365 * DAY, at: "while it runs", reason: AHEAD },
  { offset: -DAY, at: "at its start", reason: BEHIND },
] as const;

interface Shown {
  readonly size: number;
  readonly time: number;
}

/** What a reader of one process sees never goes back. */
class Reader {
  readonly #shown = new Map<LogNode, Shown>();

  async look(node: LogNode): Promise<void> {
    const shown = (await node.order("published", {})) as Shown;
    const before = this.#shown.get(node) ?? { size: 0, time: 0 };
    expect(shown.size).toBeGreaterThanOrEqual(before.size);
    expect(shown.time).toBeGreaterThanOrEqual(before.time);
    this.#shown.set(node, shown);
  }
}

async function started(log: FaultLog, clockOffset: number): Promise<LogNode> {
  const node = log.node();
  await node.order("open", log.opening({ clockOffset }));
  return node;
}

async function expectPutOff(node: LogNode, count: number): Promise<void> {
  const { postponements } = node;
  await node.until(() => node.postponements >= postponements + count, 30_000, "clients are told to ask again");
}

/** It puts its clients off for that reason, says so to who asks, and nothing that it signs has the wrong time. */
async function expectDoubt(node: LogNode, reason: RegExp): Promise<void> {
  await node.until(() => reason.test(node.lastPostponement), 30_000, `clients are told ${reason}`);
  expect(await node.order("readiness", {})).toMatch(reason);
  // Answers to what was logged before are still on their way.
  await expectPutOff(node, 20);
  const { acknowledgements } = node;
  await expectPutOff(node, 20);
  expect(node.acknowledgements).toBe(acknowledgements);
}

test(
  `through ${STEPS} steps of a clock, a day back or a year ahead, no wrong time is signed and no tree head goes back`,
  async () => {
    const dice = new Dice("clock");
    const log = await site.log();
    const since = Date.now();
    const nodes = [await log.openNode({ create: true }), await log.openNode()];
    const reader = new Reader();
    const load = (at: number) => nodes[at]!.order("load", { prefix: `${at}-${log.journal.signed.length}`, clients: 6 });
    await load(0);
    await load(1);
    const waits: number[] = [];
    for (let steps = 0; steps < STEPS; steps++) {
      const { offset, at, reason } = WAYS[steps % WAYS.length]!;
      const wrong = dice.between(0, 1);
      const right = nodes[1 - wrong]!;
      for (const node of nodes) await reader.look(node);
      if (at === "at its start") {
        await nodes[wrong]!.kill();
        nodes[wrong] = await started(log, offset);
        await load(wrong);
      } else await nodes[wrong]!.order("clock", { offset });
      const node = nodes[wrong]!;
      await expectDoubt(node, reason);
      // The other machine, whose clock is right, goes on.
      await right.acknowledges(10_000, 20);
      for (const each of nodes) await reader.look(each);
      await node.order("clock", { offset: 0 });
      const set = performance.now();
      await node.acknowledges(10_000, 20);
      waits.push(node.lastAcknowledged - set);
      expect(await node.order("readiness", {})).toBe("");
    }
    await Promise.all(nodes.map((node) => node.order("quiet", {})));
    await log.end();
    const verdict = await log.check();
    expect(log.journal.refusals).toEqual([]);
    const moments = log.journal.signed.map(({ time }) => time);
    expect(Math.min(...moments)).toBeGreaterThanOrEqual(since);
    expect(Math.max(...moments)).toBeLessThanOrEqual(Date.now());
    report("clock a day back, a year ahead", { steps: STEPS, "set right to 20 answers": spread(waits) }, verdict);
  },
  minutes(3),
);

test(
  "a log whose first process started a year ahead is told by all that come after, and never signed earlier",
  async () => {
    const log = await site.log();
    const ahead = await log.openNode({ create: true, clockOffset: 365 * DAY });
    await ahead.order("append", { names: ["a", "b"] });
    const node = await started(log, 0);
    void node.order("append", { names: ["c"] }).catch(() => {});
    await expectDoubt(node, /the clock stands 36[45] days behind the newest tree head/);
    await ahead.order("append", { names: ["d"] });
    await ahead.order("clock", { offset: 0 });
    expect(await ahead.order("readiness", {})).toMatch(/the clock stands 36[45] days behind/);
    await log.end();
    await using again = await started(log, 365 * DAY);
    await again.order("append", { names: log.journal.unanswered });
    await log.end();
    const moments = log.journal.signed.map(({ time }) => time);
    expect(Math.min(...moments)).toBeGreaterThan(Date.now() + 364 * DAY);
    expect(log.journal.unexpected).toEqual([]);
  },
  minutes(1),
);
