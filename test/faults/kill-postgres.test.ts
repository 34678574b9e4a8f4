import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../libs/postgres/src/index.ts";
import { Dice, minutes, times } from "./rig/dice.ts";
import { FaultSite, report, spread } from "./rig/site.ts";

let site: FaultSite;

beforeAll(async () => {
  site = await FaultSite.open();
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

const KILLS = times(30);
/** From PostgreSQL's first answer to ours. */
const FIRST_ANSWER_MS = 15_000;
const PROCESSES = 2;

async function postmaster(): Promise<number> {
  const [pid] = (await readFile(join(site.directory, "postgres/data/postmaster.pid"), "utf8")).split("\n");
  return Number(pid);
}

/** Its backends and workers; none where /proc does not tell. */
async function children(pid: number): Promise<number[]> {
  const told = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return told.trim().split(" ").filter(Boolean).map(Number);
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

/** When PostgreSQL answers again. */
async function back(): Promise<number> {
  for (;;) {
    try {
      await using db = await Database.open(site.postgres.url, { max: 1 });
      await db.query("SELECT 1");
      return performance.now();
    } catch {
      await delay(20);
    }
  }
}

test(
  `${KILLS} kill -9 of PostgreSQL under load lose nothing, and its clients need no restart`,
  async () => {
    const dice = new Dice("kill-postgres");
    const log = await site.log();
    const nodes = [await log.openNode({ create: true })];
    while (nodes.length < PROCESSES) nodes.push(await log.openNode());
    for (const [at, node] of nodes.entries()) await node.order("load", { prefix: `${at}`, clients: 12 });
    const [returns, firsts]: number[][] = [[], []];
    for (let kills = 0; kills < KILLS; kills++) {
      await delay(dice.between(100, 500));
      const server = await postmaster();
      const how = dice.pick(["server", "all", "backend"] as const);
      const backends = await children(server);
      killAll(
        how === "server" || backends.length === 0
          ? [server]
          : how === "all"
            ? [server, ...backends]
            : [dice.pick(backends)],
      );
      const killed = performance.now();
      // Who only reads the checkpoint notices nothing.
      for (const node of nodes) await node.order("published", {});
      const returned = await back();
      returns!.push(returned - killed);
      for (const node of nodes) {
        await node.until(() => node.lastAcknowledged > returned, FIRST_ANSWER_MS, "a new acknowledgement");
        firsts!.push(node.lastAcknowledged - returned);
      }
    }
    await Promise.all(nodes.map((node) => node.order("quiet", {})));
    await log.end();
    const verdict = await log.check();
    expect(log.journal.refusals).toEqual([]);
    report(
      "kill -9 of PostgreSQL",
      { kills: KILLS, "PostgreSQL away": spread(returns!), "then to the first answer": spread(firsts!) },
      verdict,
    );
  },
  minutes(5),
);
