import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Step } from "../../libs/log/src/index.ts";
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

const ROUNDS = times(30);
const PROCESSES = 4;
const OTHERS_GO_ON_MS = 10_000;
/** The server ends a transaction that is idle for 5 s, any after 7; a process waits 0.13 s for another's turn. */
const PAST_THE_LOCK_MS = 5_500;
const PAST_A_TURN_MS = 500;
/** Longer than a statement of a writer may take, and than its answer is waited for. */
const PAST_ALL_MS = 14_000;

const STEPS: readonly Step[] = ["locked", "stored", "committed", "anchored", "signed", "published"];
/** Of a process that stopped after the anchor took its head, that head's signature is still to come. */
const OWES_A_SIGNATURE = new Set<Step>(["anchored"]);

interface Round {
  readonly step: Step | "anywhere";
  readonly asleep: number;
}

/** Every step in turn, one sleep that outlasts everything, and some at a moment that nobody chose. */
function roundsOf(dice: Dice): Round[] {
  return Array.from({ length: ROUNDS }, (_, at) => {
    const step = at % 7 === 6 ? "anywhere" : STEPS[at % 7]!;
    if (at === 1) return { step, asleep: PAST_ALL_MS };
    const holdsLock = step === "locked" || step === "stored";
    return { step, asleep: holdsLock || dice.chance(0.1) ? PAST_THE_LOCK_MS : PAST_A_TURN_MS };
  });
}

async function stop(node: LogNode, { step }: Round, dice: Dice): Promise<void> {
  if (step === "anywhere") {
    await delay(dice.between(0, 100));
    node.signal("SIGSTOP");
    return;
  }
  node.struck = undefined;
  await node.order("arm", { step, action: "stop", skip: dice.between(0, 5) });
  await node.stopsAt(step);
}

/** What it signs from now on is newer than all there was, but for a head that it anchored itself. */
async function expectNothingStale(log: FaultLog, node: LogNode, { step }: Round): Promise<void> {
  const newest = log.journal.signed.reduce((size, head) => (head.size > size ? head.size : size), 0n);
  const before = node.signed.length;
  node.signal("SIGCONT");
  await node.acknowledges(OTHERS_GO_ON_MS, 5);
  const stale = node.signed.slice(before).filter((size) => size <= newest);
  const owed = step === "anywhere" || OWES_A_SIGNATURE.has(step) ? 1 : 0;
  expect(stale.length, `stopped at '${step}'`).toBeLessThanOrEqual(owed);
}

test(
  `of ${PROCESSES} processes one is stopped and woken, ${ROUNDS} times: the others go on, and there is one history`,
  async () => {
    const dice = new Dice("stopped-process");
    const log = await site.log();
    const nodes = [await log.openNode({ create: true, failpoints: "within the transaction" })];
    while (nodes.length < PROCESSES) nodes.push(await log.openNode({ failpoints: "within the transaction" }));
    for (const [at, node] of nodes.entries()) {
      await node.order("load", { prefix: `${at}`, clients: 4, pause: 10 });
    }
    const waits: number[] = [];
    for (const round of roundsOf(dice)) {
      const stopped = dice.pick(nodes);
      await stop(stopped, round, dice);
      const since = performance.now();
      for (const other of nodes.filter((node) => node !== stopped)) {
        await other.until(() => other.lastAcknowledged > since, OTHERS_GO_ON_MS, `others go on at '${round.step}'`);
        waits.push(other.lastAcknowledged - since);
      }
      await delay(Math.max(0, round.asleep - (performance.now() - since)));
      await expectNothingStale(log, stopped, round);
    }
    await Promise.all(nodes.map((node) => node.order("quiet", {})));
    await log.end();
    const verdict = await log.check();
    expect(log.journal.refusals).toEqual([]);
    report("one of four stopped", { rounds: ROUNDS, "others' next answer after": spread(waits) }, verdict);
  },
  minutes(6),
);

test(
  "of two processes one is stopped with a batch on its way while the other freezes the log: its entry is in the last tree",
  async () => {
    const told: string[] = [];
    for (const step of ["committed", "anchor-linked", "anchored", "signed", "published"] as const) {
      const log = await site.log();
      const other = await log.openNode({ create: true });
      const stopped = await log.openNode({ failpoints: "after it" });
      await other.order("append", { names: ["before"] });
      await stopped.order("arm", { step, action: "stop" });
      const answered = stopped.order("append", { names: ["slept"] });
      await stopped.stopsAt(step);
      await other.order("freeze", {});
      const last = await other.order("published", {});
      const signed = stopped.signed.length;
      stopped.signal("SIGCONT");
      await answered;
      // No larger tree than the last one, whatever it had in its memory.
      expect(stopped.signed.slice(signed).filter((size) => size > 2n)).toEqual([]);
      for (const node of [stopped, other]) {
        expect(await node.order("readiness", {})).toBe("");
        expect(await node.order("published", {})).toEqual(last);
      }
      await log.end();
      const verdict = await log.check();
      expect(verdict).toMatchObject({ entries: 2, acknowledged: 2 });
      expect(log.journal.refusals).toEqual([]);
      told.push(step);
    }
    report("one of two stopped while the other froze the log", { steps: told.length });
  },
  minutes(2),
);

/** 15 MB, of 16 that a batch may have; a socket takes some 200 kB of it. */
const LARGE_BATCH = 15;
const ATTEMPTS = 10;

/**
 * Whether PostgreSQL waits for the rest of a statement that it was sent the beginning of: then the process is not idle to
 * it, and neither that limit nor the one on statements gives the lock back.
 */
async function isWaitedFor(log: FaultLog): Promise<boolean> {
  const rows = await (
    await site.admin()
  ).query("SELECT FROM pg_stat_activity WHERE datname = $1 AND state = 'active' AND wait_event = 'ClientRead'", [
    log.database,
  ]);
  return rows.length > 0;
}

/**
 * A process stopped with part of its batch sent. Another one where a socket took all of it: a new one each time, because a
 * statement that a connection knows begins with what is large, and then it counts as idle until all of that has come.
 */
async function stopWriting(log: FaultLog): Promise<LogNode> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const node = await log.openNode({ failpoints: "within the transaction" });
    await node.order("arm", { step: "locked", action: "stop-writing" });
    void node.order("append", { names: Array.from({ length: LARGE_BATCH }, (_, at) => `large.${attempt}.${at}`) });
    await node.until(() => node.struck === "locked", 20_000, "it has the lock");
    for (const until = performance.now() + 2_000; performance.now() < until; await delay(20)) {
      if (await isWaitedFor(log)) return node;
    }
    node.signal("SIGCONT");
    await node.until(() => node.acknowledgements === LARGE_BATCH, 20_000, "its batch is logged");
    await node.kill();
  }
  throw new Error("a socket took all of the batch each time");
}

test(
  "a process that is stopped while it sends its batch keeps the log's lock no longer than ten seconds",
  async () => {
    const log = await site.log();
    const other = await log.openNode({ create: true });
    await other.order("append", { names: ["first"] });
    const stopped = await stopWriting(log);
    const since = performance.now();
    await other.order("append", { names: ["second"] });
    const waited = performance.now() - since;
    expect(waited).toBeLessThan(OTHERS_GO_ON_MS);
    await expectNothingStale(log, stopped, { step: "locked", asleep: 0 });
    await stopped.until(
      () => stopped.acknowledgements === LARGE_BATCH,
      OTHERS_GO_ON_MS,
      "its batch is logged after all",
    );
    await log.end();
    const verdict = await log.check();
    expect(log.journal.refusals).toEqual([]);
    report("one of two stopped while it sent 15 MB", { "other's answer after": spread([waited]) }, verdict);
  },
  minutes(2),
);
