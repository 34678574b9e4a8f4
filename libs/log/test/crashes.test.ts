import { RefusedToSign, Unavailable } from "@chancery/fault";
import { Database } from "@chancery/postgres";
import { describe, expect, test } from "vitest";
import { cuttingProxy } from "../../postgres/test/cutting-proxy.ts";
import { type Failpoint, MemoryAnchor, PostgresLogStore, type Step, type TransparencyLog } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, World } from "./world.ts";

const server = testServer();

const STEPS: readonly Step[] = ["locked", "stored", "committed", "anchored", "signed", "published"];
const COMMITTED = new Set<Step>(["committed", "anchored", "signed", "published"]);

class Crash extends Error {}

/** Fails at a step once it is armed, and at every step after that: a process that died does nothing more. */
class Mine {
  #armed: Step | undefined;
  #dead = false;

  readonly step: Failpoint = (step) => {
    if (step === this.#armed) this.#dead = true;
    if (this.#dead) throw new Crash(step);
  };

  arm(step: Step): void {
    this.#armed = step;
  }
}

describe("a process that dies", () => {
  const cases = STEPS.flatMap((step) => [0, 1, 255, 256, 257].map((size) => [step, size] as const));

  test.each(cases)(
    "after '%s' of a batch on %i entries leaves a log that the next one goes on with",
    async (step, size) => {
      const mine = new Mine();
      const world = new World({ store: await server.shared.store(mine.step) });
      const log = await world.start({ failpoint: mine.step });
      if (size > 0) await world.appendAll(log, newEntries(size));
      mine.arm(step);
      await expect(log.append(newEntry("in the crash"))).rejects.toThrow();

      const restarted = world.with({ store: await server.shared.store() });
      const next = await restarted.start();
      const logged = size + (COMMITTED.has(step) ? 1 : 0);
      await restarted.check(next, logged);
      const again = await restarted.append(next, newEntry("in the crash"));
      expect(again).toMatchObject({ duplicate: COMMITTED.has(step), entry: { index: BigInt(size) } });
      await restarted.append(next, newEntry("after the crash"));
      world.acknowledged.push(...restarted.acknowledged);
      await world.check(next, size + 2);
      expect(await next.readiness()).toBeUndefined();
    },
  );

  test.each(STEPS)("after '%s' does not stop another one that is running", async (step) => {
    const mine = new Mine();
    const world = new World({ store: await server.shared.store(mine.step) });
    const dying = await world.start({ failpoint: mine.step });
    const other = world.with({ store: await server.shared.store() });
    const running = await other.start();
    await other.append(running, newEntry("before"));
    mine.arm(step);
    await expect(dying.append(newEntry("in the crash"))).rejects.toThrow();
    await other.appendAll(running, newEntries(10));
    const { entry } = await other.append(running, newEntry("in the crash"));
    expect(entry.index).toBe(COMMITTED.has(step) ? 1n : 11n);
    await other.check(running, 12);
    expect(await running.readiness()).toBeUndefined();
  });
});

test("a process that slept after each step signs nothing that is old when it wakes", async () => {
  for (const step of ["committed", "anchored", "signed"] as const) {
    const asleep = Promise.withResolvers<void>();
    const wake = Promise.withResolvers<void>();
    let armed = false;
    const sleep: Failpoint = async (at) => {
      if (!armed || at !== step) return;
      armed = false;
      asleep.resolve();
      await wake.promise;
    };
    const world = new World({ store: await server.shared.store(sleep) });
    const sleeper = await world.start({ failpoint: sleep });
    const other = world.with({ store: await server.shared.store() });
    const running = await other.start();
    await other.append(running, newEntry("before"));
    armed = true;
    const slept = other.append(sleeper, newEntry("slept"));
    await asleep.promise;
    await other.appendAll(running, newEntries(5));
    const published = await running.published();
    wake.resolve();
    const { entry, checkpoint } = await slept;
    expect(entry.index).toBe(1n);
    expect(checkpoint.head.size).toBeGreaterThanOrEqual(published.head.size);
    expect((await running.published()).head.size).toBe(7n);
    await other.check(running, 7);
  }
});

test("a process that stopped with the log locked holds nobody up for long, and wakes to no harm", async () => {
  const asleep = Promise.withResolvers<void>();
  const wake = Promise.withResolvers<void>();
  let armed = false;
  const sleep: Failpoint = async (step) => {
    if (!armed || step !== "locked") return;
    armed = false;
    asleep.resolve();
    await wake.promise;
  };
  const world = new World({ store: await server.shared.store(sleep) });
  const sleeper = await world.start();
  const other = world.with({ store: await server.shared.store() });
  const running = await other.start();
  armed = true;
  const slept = sleeper.append(newEntry("slept")).catch((error: unknown) => error);
  await asleep.promise;
  const since = performance.now();
  await other.append(running, newEntry("went on"));
  expect(performance.now() - since).toBeLessThan(10_000);
  wake.resolve();
  const outcome = await slept;
  if (outcome instanceof Error) expect(outcome).toBeInstanceOf(Unavailable);
  await other.append(sleeper, newEntry("slept"));
  await other.check(running, 2);
});

describe("a commit whose outcome is not known", () => {
  test.each(["answer", "request"] as const)("because its %s was lost is looked up, not guessed", async (what) => {
    await using proxy = await cuttingProxy(server.shared.url);
    await using db = await Database.open(proxy.url, { max: 4 });
    const world = new World({ store: await PostgresLogStore.open(db) });
    const log = await world.start();
    await world.appendAll(log, newEntries(300));
    for (let round = 0; round < 5; round++) {
      const cut = proxy.cutAtCommit(what);
      const answers = await world.appendAll(log, newEntries(40, 300 + round * 40));
      await cut;
      expect(answers.filter(({ duplicate }) => duplicate)).toEqual([]);
    }
    await world.check(log, 500);
  });

  test("is told as such when the database stays away, and the client who asks again learns the first place", async () => {
    await using proxy = await cuttingProxy(server.shared.url);
    await using db = await Database.open(proxy.url, { max: 4 });
    const world = new World({ store: await PostgresLogStore.open(db) });
    const log = await world.start({ limits: { doubtMs: 500 } });
    await world.append(log, newEntry("before"));
    const cut = proxy.cutAtCommit("answer");
    const lost = log.append(newEntry("lost")).catch((error: unknown) => error);
    await cut;
    proxy.admit(false);
    expect(await lost).toBeInstanceOf(Unavailable);
    expect(await log.readiness()).toMatch(/the database does not answer/);
    expect((await log.published()).head.size).toBe(1n);
    proxy.admit(true);
    expect(await world.append(log, newEntry("lost"))).toMatchObject({ duplicate: true, entry: { index: 1n } });
    await world.check(log, 2);
  });

  test("that never happened is not taken for done because another process logged the same in its place", async () => {
    await using proxy = await cuttingProxy(server.shared.url);
    await using db = await Database.open(proxy.url, { max: 4 });
    const world = new World({ store: await PostgresLogStore.open(db) });
    const now = 1_700_000_000_000;
    const log = await world.start({ clock: () => now });
    const other = world.with({ store: await server.shared.store() });
    const running = await other.start({ clock: () => now + 1000 });
    await world.append(log, newEntry("before"));
    const cut = proxy.cutAtCommit("request");
    const first = log.append(newEntry("same"));
    await cut;
    proxy.admit(false);
    expect(await other.append(running, newEntry("same"))).toMatchObject({ duplicate: false, entry: { index: 1n } });
    proxy.admit(true);
    expect(await first).toMatchObject({ duplicate: true, entry: { index: 1n } });
    await other.check(running, 2);
  });
});

/** A log whose every append fails at a step until it is mended. */
async function failing(step: Step): Promise<{ world: World; log: TransparencyLog; mend: () => void }> {
  let broken = false;
  const failpoint: Failpoint = (at) => {
    if (broken && at === step) throw new Unavailable("the disk is full", 1);
  };
  const world = new World({ store: await server.shared.store() });
  const log = await world.start({ failpoint });
  await world.append(log, newEntry("before"));
  broken = true;
  return { world, log, mend: () => (broken = false) };
}

describe("trouble after the commit", () => {
  test.each(["anchored", "signed", "published"] as const)("at '%s' passes without a restart", async (step) => {
    const { world, log, mend } = await failing(step);
    await expect(log.append(newEntry("unlucky"))).rejects.toBeInstanceOf(Unavailable);
    mend();
    expect(await world.append(log, newEntry("unlucky"))).toMatchObject({ duplicate: true, entry: { index: 1n } });
    await world.append(log, newEntry("next"));
    await world.check(log, 3);
  });

  test("of an anchor that cannot be written is told by readiness, and what was committed is signed as soon as it can", async () => {
    const anchor = new MemoryAnchor();
    let full = false;
    const world = new World({
      store: await server.shared.store(),
      anchor: {
        read: () => anchor.read(),
        compareAndSwap: async (expected, next) => {
          if (full) throw new Unavailable("the anchor cannot be read or written", 5);
          return await anchor.compareAndSwap(expected, next);
        },
      },
    });
    const log = await world.start();
    await world.append(log, newEntry("before"));
    full = true;
    await expect(log.append(newEntry("unlucky"))).rejects.toBeInstanceOf(Unavailable);
    expect(await log.readiness()).toMatch(/the anchor cannot be read or written/);
    full = false;
    // Nobody writes any more.
    expect(await log.readiness()).toBeUndefined();
    expect((await log.published()).head.size).toBe(2n);
    await world.check(log, 2);
  });

  test("a key that does not sign is no reason to refuse for ever", async () => {
    const world = new World({ store: await server.shared.store() });
    let away = false;
    const { origin, keyId } = world.signer;
    const signer = {
      origin,
      keyId,
      sign: async (head: { size: bigint; root: Uint8Array }) => {
        if (away) throw new Error("HSM is locked");
        return await world.signer.sign(head);
      },
      verify: (note: Uint8Array) => world.signer.verify(note),
    };
    const log = await world.start({ signer });
    away = true;
    await expect(log.append(newEntry(1))).rejects.toBeInstanceOf(Unavailable);
    away = false;
    await world.append(log, newEntry(2));
    await world.check(log, 2);
  });

  test("the database never gets further ahead of what is published than a crash may leave it", async () => {
    const world = new World({ store: await server.shared.store() });
    let broken = false;
    const failpoint: Failpoint = (step) => {
      if (broken && step === "anchored") throw new Unavailable("the disk is full", 1);
    };
    const log = await world.start({ limits: { ahead: 20 }, failpoint });
    broken = true;
    for (let round = 0; round < 6; round++) {
      await expect(Promise.all(newEntries(8, round * 8).map((entry) => log.append(entry)))).rejects.toBeInstanceOf(
        Unavailable,
      );
    }
    expect(Number((await (await world.store.find(world.name))!.writer.tree()).size)).toBeLessThanOrEqual(20);
    const restarted = await world.start({ limits: { ahead: 20 } });
    expect(await restarted.readiness()).toBeUndefined();
    await world.append(restarted, newEntry("after"));
    await world.check(restarted);
  });
});

test("a refusal is told to those who wait, too", async () => {
  const world = new World({ store: await server.shared.store() });
  let armed = false;
  const log = await world.start({
    failpoint: (step) => {
      if (armed && step === "anchored") throw new RefusedToSign("something is wrong");
    },
    limits: { batchEntries: 5 },
  });
  armed = true;
  const outcomes = await Promise.allSettled(newEntries(20).map((entry) => log.append(entry)));
  expect(outcomes.every((outcome) => outcome.status === "rejected" && outcome.reason instanceof RefusedToSign)).toBe(
    true,
  );
  expect(world.signer.signed).toHaveLength(1);
});
