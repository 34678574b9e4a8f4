import { execFile } from "node:child_process";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ChanceryProcess, startChancery } from "@chancery/testing";
import { afterEach, expect, test } from "vitest";
import { cuttingProxy } from "./rig/cutting-proxy.ts";
import { Dice, minutes, times } from "./rig/dice.ts";
import { Journal } from "./rig/journal.ts";
import { newHashedRekord, RekorClient } from "./rig/rekor-client.ts";
import { report, spread } from "./rig/site.ts";
import { askAgain, judgeStack, loadStack, pauseOf } from "./rig/stack.ts";

const run = promisify(execFile);

/** The whole built program, over HTTP. */
let stack: ChanceryProcess | undefined;
let data: string | undefined;

async function start(): Promise<ChanceryProcess> {
  stack = await startChancery();
  data = stack.data;
  return stack;
}

afterEach(async () => {
  await stack?.stop();
  if (data !== undefined) await rm(data, { recursive: true, force: true });
});

const KILLS = times(6);
const CUTS = times(10);

test(
  `${KILLS} kill -9 of the whole program under load lose nothing that a client was told`,
  async () => {
    const dice = new Dice("serve-kills");
    const journal = new Journal();
    const waits: number[] = [];
    let running = await start();
    for (let kills = 0; kills < KILLS; kills++) {
      const load = loadStack(running, journal, 16);
      await pauseOf(dice, 200, 1_000);
      const before = journal.acknowledged.length;
      await running.kill();
      await load.stop();
      const killed = performance.now();
      running = stack = await running.again();
      await askAgain(running, journal);
      waits.push(performance.now() - killed);
      expect(journal.acknowledged.length).toBeGreaterThan(before);
    }
    await running.kill();
    const verdict = await judgeStack(running.data, journal);
    report("kill -9 of the whole program", { kills: KILLS, "to all answered": spread(waits) }, verdict);
  },
  minutes(3),
);

test(
  `${CUTS} lost answers to a client: who asks again learns the first place`,
  async () => {
    const journal = new Journal();
    const running = await start();
    await using proxy = await cuttingProxy(running.port);
    const through = new RekorClient(`http://127.0.0.1:${proxy.port}`, journal);
    const direct = new RekorClient(running.url, journal);
    for (let cuts = 0; cuts < CUTS; cuts++) {
      const entry = newHashedRekord();
      const cut = proxy.cutAnswerTo("POST /api/v1/log/entries");
      await expect(through.log(entry)).rejects.toThrow();
      await cut;
      expect((await direct.log(entry)).status).toBe(409);
      expect((await direct.log(newHashedRekord())).status).toBe(201);
    }
    await running.kill();
    const verdict = await judgeStack(running.data, journal);
    expect(verdict.entries).toBe(2 * CUTS);
    report("answer to a client lost", { cuts: CUTS }, verdict);
  },
  minutes(1),
);

test(
  "with a backup of its database in the place of the database nothing is signed, and everyone is told why",
  async () => {
    const journal = new Journal();
    let running = await start();
    await new RekorClient(running.url, journal).log(newHashedRekord());
    await running.stop();
    const database = join(running.data, "postgres");
    await run("cp", ["-a", database, `${database}.backup`]);
    running = stack = await running.again();
    await new RekorClient(running.url, journal).log(newHashedRekord());
    await running.stop();
    await rename(database, `${database}.now`);
    await rename(`${database}.backup`, database);

    running = stack = await startChancery({ data: running.data, port: running.port, until: "alive" });
    const reason = /its database is older than what was signed: it holds 1 entry, a tree of 2 was signed/;
    const ready = await fetch(`${running.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.text()).toMatch(reason);
    expect(running.output()).toMatch(reason);
    const refused = await new RekorClient(running.url, new Journal()).log(newHashedRekord());
    expect(refused).toMatchObject({ status: 503, text: expect.stringMatching(reason) });
    expect((await fetch(`${running.url}/api/v1/log`)).status).toBe(503);

    // The newer one brought back, it goes on.
    await running.stop();
    await rename(database, `${database}.backup`);
    await rename(`${database}.now`, database);
    running = stack = await startChancery({ data: running.data, port: running.port });
    expect((await new RekorClient(running.url, journal).log(newHashedRekord())).status).toBe(201);
    await running.kill();
    const verdict = await judgeStack(running.data, journal);
    expect(verdict.entries).toBe(3);
    report("the whole program on a restored backup", { refused: 1 }, verdict);
  },
  minutes(3),
);
