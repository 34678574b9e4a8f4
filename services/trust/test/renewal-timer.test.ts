import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Renewal, type RoleName, TufRepository } from "../src/index.ts";
import { START } from "./installation.ts";
import { DAY, newWorld, type World } from "./tuf-world.ts";

const MINUTE = 60_000;

/** A clock, and sleeps that move it; the timer is stopped when the time is up. */
function timeUntil(end: number) {
  const stop = new AbortController();
  const sleeps: number[] = [];
  const time = {
    now: START,
    sleeps,
    signal: stop.signal,
    sleep: async (milliseconds: number) => {
      sleeps.push(milliseconds / MINUTE);
      time.now += milliseconds;
      if (time.now > end) stop.abort();
    },
  };
  return time;
}

describe("the renewal timer", () => {
  let world: World;
  const [renewed, failures]: [RoleName[][], unknown[]] = [[], []];
  const listener = {
    renewed: (roles: readonly RoleName[]) => renewed.push([...roles]),
    failed: (error: unknown) => failures.push(error),
  };

  beforeEach(() => {
    world = newWorld();
    renewed.length = 0;
    failures.length = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("looks every five minutes and signs once a day", async () => {
    const time = timeUntil(START + 3 * DAY);
    const renewal = new Renewal(await TufRepository.open(world), () => time.now, listener, time.sleep);
    await renewal.run(time.signal);
    expect(time.sleeps).toEqual(Array(865).fill(5));
    expect(renewed).toEqual([["timestamp"], ["timestamp"], ["timestamp"]]);
  });

  test("after a failure tries again sooner, then ever later, and is back to normal after a success", async () => {
    const time = timeUntil(START + 1.5 * DAY);
    const sleep = (milliseconds: number) => {
      world.directory.powerFor = time.now < START + DAY + 200 * MINUTE ? 0 : Infinity;
      return time.sleep(milliseconds);
    };
    const renewal = new Renewal(await TufRepository.open(world), () => time.now, listener, sleep);
    await renewal.run(time.signal);
    expect(time.sleeps.slice(0, 288)).toEqual(Array(288).fill(5));
    expect(time.sleeps.slice(288, 300)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 5, 5]);
    expect(failures).toHaveLength(10);
    expect(renewed).toEqual([["timestamp"]]);
  });

  test("is right again five minutes after the machine slept for two weeks", async () => {
    const time = timeUntil(START + 14 * DAY + 5 * MINUTE);
    const repository = await TufRepository.open(world);
    const renewal = new Renewal(repository, () => time.now, listener, time.sleep);
    // The machine's clock goes on while its timers stand still.
    time.now = START + 14 * DAY;
    expect(renewal.worry()).toMatch(/timestamp metadata expired/);
    await renewal.run(time.signal);
    expect(renewed).toEqual([["timestamp"]]);
    expect(renewal.worry()).toBeUndefined();
  });

  test("says what went wrong once clients are in danger, and not before", async () => {
    const time = timeUntil(Infinity);
    const renewal = new Renewal(await TufRepository.open(world), () => time.now, listener, time.sleep);
    world.directory.powerFor = 0;
    time.now = START + 2 * DAY;
    expect(await renewal.renewNow()).toBe(false);
    expect(renewal.worry()).toBeUndefined();
    time.now = START + 5 * DAY;
    await renewal.renewNow();
    expect(renewal.worry()).toMatch(/expires in 2\.0 days, .* \(the last attempt failed: no power\)$/);
    time.now = START + 8 * DAY;
    expect(renewal.worry()).toMatch(/expired at .*; clients refuse it \(the last attempt failed: no power\)$/);
  });

  test("ends at once when it is stopped in the middle of its hour", async () => {
    const stop = new AbortController();
    const running = new Renewal(await TufRepository.open(world), Date.now, listener).run(stop.signal);
    stop.abort();
    await running;
    expect(renewed).toEqual([]);
  });
});
