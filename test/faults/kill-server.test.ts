import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Dice, minutes, times } from "./rig/dice.ts";
import { FaultSite, report, spread } from "./rig/site.ts";

let site: FaultSite;

beforeAll(async () => {
  site = await FaultSite.open();
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

const KILLS = times(100);
const CLIENTS = 16;
/** Of a machine that is busy with other things, too. */
const ANSWERS_MS = 60_000;

test(
  `${KILLS} kill -9 of a log's process under load lose, fork, skip and double nothing`,
  async () => {
    const dice = new Dice("kill-server");
    const log = await site.log();
    const waits: number[] = [];
    let running = log.node();
    for (let kills = 0; kills < KILLS; kills++) {
      // What the killed one left unanswered is asked for again, as its clients would.
      const unanswered = log.journal.unanswered;
      const opened = performance.now();
      expect(await running.order("open", log.opening({ create: kills === 0 }))).toBe("");
      void running.order("append", { names: unanswered });
      void running.order("load", { prefix: `${kills}`, clients: CLIENTS });
      await running.acknowledges(ANSWERS_MS);
      waits.push(performance.now() - opened);
      // A deployment overlaps: the next one may be at work before this one dies.
      const next = log.node();
      if (dice.chance(0.3)) {
        expect(await next.order("open", log.opening())).toBe("");
        void next.order("load", { prefix: `${kills}-next`, clients: CLIENTS });
        await next.acknowledges(ANSWERS_MS);
        await delay(dice.between(0, 200));
        await running.kill();
        await next.acknowledges(ANSWERS_MS);
        await delay(dice.between(0, 100));
        await next.kill();
        running = log.node();
      } else {
        await delay(dice.between(0, 300));
        await running.kill();
        running = next;
      }
    }
    // One that is killed while it starts, too.
    for (let kills = 0; kills < times(10); kills++) {
      void running.order("open", log.opening());
      await delay(dice.between(0, 120));
      await running.kill();
      running = log.node();
    }
    await running.order("open", log.opening());
    await running.order("append", { names: log.journal.unanswered });
    await log.end();
    const verdict = await log.check();
    report("kill -9 of the log's process", { kills: KILLS, "open to first answer": spread(waits) }, verdict);
    expect(log.journal.unanswered).toEqual([]);
  },
  minutes(5),
);
