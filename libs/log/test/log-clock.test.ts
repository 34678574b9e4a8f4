import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Unavailable } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import {
  acceptAnchor,
  type AnchoredHead,
  FileAnchor,
  freezeAgain,
  MemoryAnchor,
  MemoryLogStore,
} from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, range, World } from "./world.ts";

const server = testServer();
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A machine whose clock someone sets, and whose time passes all the same. */
class Machine {
  now = Date.UTC(2026, 0, 1);
  passed = 1_000;
  readonly clock = () => this.now;
  readonly elapsed = () => this.passed;

  pass(milliseconds: number): void {
    this.now += milliseconds;
    this.passed += milliseconds;
  }
}

/** Stops where the anchor is moved, on request. */
class PausedAnchor extends MemoryAnchor {
  #pause: PromiseWithResolvers<() => void> | undefined;
  #when = "before";

  /** Resolves with what lets it go on, once someone waits before its step or after it. */
  async paused(when: "before" | "after" = "before"): Promise<() => void> {
    this.#when = when;
    return await (this.#pause ??= Promise.withResolvers()).promise;
  }

  override async compareAndSwap(expected: AnchoredHead | undefined, next: AnchoredHead): Promise<boolean> {
    const pause = this.#pause;
    this.#pause = undefined;
    const wait = async () => {
      if (pause !== undefined) await new Promise<void>((resolve) => pause.resolve(resolve));
    };
    if (this.#when === "before") await wait();
    const isSwapped = await super.compareAndSwap(expected, next);
    if (this.#when === "after") await wait();
    return isSwapped;
  }
}

async function started(parts: Partial<ConstructorParameters<typeof World>[0]> = {}) {
  const machine = new Machine();
  const world = new World({ store: new MemoryLogStore(), ...parts });
  const log = await world.start(machine);
  machine.pass(10);
  await world.appendAll(log, newEntries(3));
  return { machine, world, log };
}

describe("a clock that is set", () => {
  test.each([
    [-DAY, /^log world-\d+: the clock stands 24 hours behind the newest tree head: nothing is logged until/],
    [-11_000, /the clock stands 11 seconds behind the newest tree head/],
    [11_000, /the clock jumped 11 seconds ahead: nothing is logged until it is set right, or Chancery started anew/],
    [365 * DAY, /the clock jumped 365 days ahead/],
  ])("%i ms from where it was signs nothing, says so, and is forgotten when it is set right", async (step, reason) => {
    const { machine, world, log } = await started();
    const signed = world.signer.signed.length;
    machine.now += step;
    const answer = await log.append(newEntry("wrong time")).catch((error: unknown) => error);
    expect(answer).toBeInstanceOf(Unavailable);
    expect(answer).toMatchObject({ retryAfter: 10 });
    expect(await log.readiness()).toMatch(reason);
    await expect(log.renew(-Infinity)).rejects.toBeInstanceOf(Unavailable);
    expect(world.signer.signed).toHaveLength(signed);
    expect((await log.append(newEntry(1))).duplicate).toBe(true);
    machine.now -= step;
    expect(await log.readiness()).toBeUndefined();
    await world.append(log, newEntry("right time"));
    await world.check(log, 4);
  });

  test.each([-9_000, 9_000])("%i ms from where it was is a clock like others, and time goes on", async (step) => {
    const { machine, world, log } = await started();
    const before = (await log.published()).time;
    machine.now += step;
    expect((await world.append(log, newEntry("a"))).entry.time).toBeGreaterThan(before);
    await world.check(log, 4);
  });

  test("in small steps, ever so often, is followed", async () => {
    const { machine, world, log } = await started();
    for (const name of range(20, 10)) {
      machine.now += 5_000;
      await world.append(log, newEntry(name));
    }
    await world.check(log, 23);
  });

  test("back and right again, on a log that was idle for longer, needs no restart", async () => {
    const { machine, world, log } = await started();
    machine.pass(3 * DAY);
    machine.now -= DAY;
    expect(await log.readiness()).toBeUndefined();
    machine.now += DAY;
    await world.append(log, newEntry("a"));
    await world.check(log, 4);
  });

  test("right after a start on a wrong one, a day behind, needs no other start", async () => {
    const { machine, world } = await started();
    machine.now -= DAY;
    const again = await world.start(machine);
    expect(await again.readiness()).toMatch(/the clock stands 24 hours behind/);
    machine.now += DAY;
    await world.append(again, newEntry("a"));
    await world.check(again, 4);
  });

  test("ahead is accepted by a start", async () => {
    const { machine, world, log } = await started();
    machine.now += 365 * DAY;
    await expect(log.append(newEntry("a"))).rejects.toBeInstanceOf(Unavailable);
    const again = await world.start(machine);
    await world.append(again, newEntry("a"));
    await world.check(again, 4);
  });
});

test("time that passes while nothing is logged is no jump", async () => {
  const { machine, world, log } = await started();
  machine.pass(365 * DAY);
  const { entry } = await world.append(log, newEntry("a"));
  expect(entry.time).toBe(machine.now);
  await world.check(log, 4);
});

describe("a tree head signed again", () => {
  test("is of now, and of the same tree; only one that is old enough is", async () => {
    const { machine, world, log } = await started();
    const before = await log.published();
    machine.pass(HOUR - 1);
    expect(await log.renew(HOUR)).toBe(false);
    machine.pass(1);
    expect(await log.renew(HOUR)).toBe(true);
    const after = await log.published();
    expect(after).toMatchObject({ head: before.head, time: machine.now });
    expect(await log.renew(HOUR)).toBe(false);
    expect(await world.anchor.read()).toMatchObject({ size: 3n, time: machine.now });
    expect(await log.readiness()).toBeUndefined();
    await world.check(log, 3);
  });

  test("grows nothing, however often", async () => {
    const directory = await mkdtemp(join(tmpdir(), "renewed-"));
    const anchor = await FileAnchor.open(directory, "log");
    const { machine, world, log } = await started({ anchor });
    for (let renewals = 0; renewals < 100; renewals++) {
      machine.pass(HOUR);
      expect(await log.renew(HOUR)).toBe(true);
    }
    expect((await readdir(join(directory, "log"))).length).toBeLessThan(40);
    await world.check(log, 3);
    await rm(directory, { recursive: true, force: true });
  });

  test("is followed by entries that are later still, of this process and of others", async () => {
    const { machine, world, log } = await started();
    const other = await world.start(machine);
    for (const [round, writer] of [log, other, log, other].entries()) {
      machine.pass(HOUR);
      expect(await log.renew(HOUR)).toBe(true);
      const { time } = await log.published();
      // A clock that stands a little behind that of whoever renewed.
      machine.now -= 2_000;
      const { entry, checkpoint } = await world.append(writer, newEntry(`round ${round}`));
      expect(entry.time).toBeGreaterThan(time);
      expect(checkpoint.time).toBeGreaterThanOrEqual(entry.time);
      machine.now += 2_000;
      machine.pass(10);
    }
    await world.check(await world.start(machine), 7);
  });

  test("by several processes at once is signed once", async () => {
    const { machine, world, log } = await started();
    const others = await Promise.all(range(3).map(() => world.start(machine)));
    machine.pass(HOUR);
    const renewed = await Promise.all([log, ...others].map((each) => each.renew(HOUR)));
    expect(renewed).toContain(true);
    expect(await world.anchor.read()).toMatchObject({ time: machine.now });
    for (const each of [log, ...others]) {
      expect(await each.renew(HOUR)).toBe(false);
      expect((await each.published()).time).toBe(machine.now);
    }
  });

  test("while entries come in harms none of them", async () => {
    const { machine, world, log } = await started();
    const appended = world.appendAll(log, newEntries(200, 100));
    for (let renewals = 0; renewals < 20; renewals++) {
      machine.pass(HOUR);
      await log.renew(HOUR);
    }
    await appended;
    await world.check(log, 203);
  });

  test("and then lost by a crash is published as it was signed", async () => {
    const { machine, world, log } = await started();
    machine.pass(HOUR);
    const anchored = (await world.anchor.read())!;
    const signed = { ...anchored, time: machine.now };
    expect(await world.anchor.compareAndSwap(anchored, signed)).toBe(true);
    expect(await log.readiness()).toBeUndefined();
    expect(await log.published()).toMatchObject({ head: { size: 3n }, time: machine.now });
    await world.check(log, 3);
  });

  test("is not forgotten by an anchor that was put back", async () => {
    const { machine, world, log } = await started();
    const old = new MemoryAnchor();
    await old.compareAndSwap(undefined, (await world.anchor.read())!);
    machine.pass(HOUR);
    await log.renew(HOUR);
    const back = world.with({ anchor: old });
    const refused = await back.start(machine);
    expect(await refused.readiness()).toMatch(/its anchor is older than what was published: it knows the tree of 3/);
    expect((await acceptAnchor(back)).after.time).toBe(machine.now);
    expect(await (await back.start(machine)).readiness()).toBeUndefined();
  });

  test("is none of a frozen log's", async () => {
    const { machine, log } = await started();
    await log.freeze();
    const before = await log.published();
    machine.pass(DAY);
    expect(await log.renew(HOUR)).toBe(false);
    expect(await log.published()).toEqual(before);
  });

  test("does not go back where a log is frozen once more on a database of before it", async () => {
    const { db, store, name: original } = await server.database();
    const { machine, world, log } = await started({ store: await store() });
    await db.close();
    const backup = await server.database(original);
    const newest = world.with({ store: await (await server.database(original)).store() });
    const last = await newest.start(machine);
    machine.pass(HOUR);
    expect(await last.renew(HOUR)).toBe(true);
    await last.freeze();
    const seen = await last.published();
    const restored = world.with({ store: await backup.store() });
    expect(await freezeAgain(restored)).toBe(true);
    for (const each of [await restored.start(machine), await restored.start(machine)]) {
      expect(await each.readiness()).toBeUndefined();
      expect(await each.published()).toMatchObject({ head: seen.head, time: seen.time });
    }
    await log.close();
  });

  const stores = { memory: () => new MemoryLogStore(), PostgreSQL: () => server.shared.store() } as const;

  test.each([
    ["memory", "before"],
    ["memory", "after"],
    ["PostgreSQL", "before"],
    ["PostgreSQL", "after"],
  ] as const)(
    "that is under way when another process freezes the log changes its last checkpoint no more: in %s, %s it is anchored",
    async (where, when) => {
      const anchor = new PausedAnchor();
      const { machine, world, log } = await started({ store: await stores[where](), anchor });
      const other = await world.start(machine);
      machine.pass(HOUR);
      const paused = anchor.paused(when);
      const renewing = log.renew(HOUR);
      const goOn = await paused;
      await other.freeze();
      const last = await other.published();
      goOn();
      expect(await renewing).toBe(when === "after");
      for (const each of [log, other, await world.start(machine)]) {
        expect(await each.readiness()).toBeUndefined();
        // Longer than a checkpoint in memory counts as fresh.
        await delay(150);
        expect(await each.published()).toEqual(last);
      }
      await world.check(other, 3);
    },
  );
});
