import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cuttingProxy, type CuttingProxy } from "./rig/cutting-proxy.ts";
import { Dice, minutes, times } from "./rig/dice.ts";
import { type FaultLog, FaultSite, report } from "./rig/site.ts";

let site: FaultSite;

beforeAll(async () => {
  site = await FaultSite.open();
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

const CUTS = times(50);
const COMMIT = "COMMIT\0";

async function proxyFor(log: FaultLog): Promise<CuttingProxy> {
  const socket = new URLSearchParams(log.url.split("?")[1]).get("host");
  return await cuttingProxy(`${socket}/.s.PGSQL.5432`);
}

/** Of the log's database over TCP. */
function urlThrough(proxy: CuttingProxy, log: FaultLog): string {
  return log.url.replace(/@\/(.*)\?.*$/, `@127.0.0.1:${proxy.port}/$1`);
}

describe("the answer to a COMMIT is lost", () => {
  test(
    `${Math.ceil(CUTS / 2)} times, and nobody but the log notices`,
    async () => {
      const dice = new Dice("lost-answers");
      const log = await site.log();
      await using proxy = await proxyFor(log);
      const url = urlThrough(proxy, log);
      const node = await log.openNode({ create: true, url });
      // Another process, whose line is not cut, fills in between.
      const other = await log.openNode();
      await node.order("load", { prefix: "cut", clients: 8 });
      await other.order("load", { prefix: "whole", clients: 2, pause: 5 });
      for (let cuts = 0; cuts < Math.ceil(CUTS / 2); cuts++) {
        await proxy.cutAnswerTo(COMMIT, COMMIT);
        await node.acknowledges(15_000, 10);
        await delay(dice.between(0, 20));
      }
      await Promise.all([node, other].map((each) => each.order("quiet", {})));
      const { postponements } = node;
      await log.end();
      const verdict = await log.check();
      // Its own entry, found where it put it, is not another's.
      expect(log.journal.acknowledged.filter(({ duplicate }) => duplicate)).toEqual([]);
      expect(log.journal.refusals).toEqual([]);
      report(
        "answer to COMMIT lost",
        { cuts: Math.ceil(CUTS / 2), "clients told to ask again": postponements },
        verdict,
      );
    },
    minutes(3),
  );

  test(
    `${Math.floor(CUTS / 2)} times, and the database stays away: who asks again learns the first place`,
    async () => {
      const dice = new Dice("lost-answers-away");
      const log = await site.log();
      await using proxy = await proxyFor(log);
      const url = urlThrough(proxy, log);
      const node = await log.openNode({ create: true, url, limits: { doubtMs: 50 } });
      let duplicates = 0;
      for (let cuts = 0; cuts < Math.floor(CUTS / 2); cuts++) {
        const names = Array.from({ length: dice.between(1, 40) }, (_, at) => `${cuts}.${at}`);
        const before = node.postponements;
        const cut = proxy.cutAnswerTo(COMMIT, COMMIT);
        const appended = node.order("append", { names });
        await cut;
        proxy.admit(false);
        await node.until(() => node.postponements > before, 10_000, "a client is told to ask again");
        await delay(dice.between(0, 50));
        proxy.admit(true);
        await appended;
        duplicates += log.journal.acknowledged.slice(-names.length).filter(({ duplicate }) => duplicate).length;
      }
      await log.end();
      const verdict = await log.check();
      const names = new Set(log.journal.acknowledged.map(({ name }) => name));
      expect(verdict.entries).toBe(names.size);
      expect(duplicates).toBeGreaterThanOrEqual(Math.floor(CUTS / 2));
      report(
        "answer to COMMIT lost, and the database",
        { cuts: Math.floor(CUTS / 2), "told the first place": duplicates },
        verdict,
      );
    },
    minutes(3),
  );
});
