import { Frozen, Unavailable } from "@chancery/fault";
import { EMPTY_ROOT } from "@chancery/tlog";
import { describe, expect, test } from "vitest";
import { AnchoredSigner } from "../src/anchored-signer.ts";
import {
  acceptAnchor,
  type Anchor,
  cutUnsigned,
  type Failpoint,
  freezeAgain,
  type FreezeStep,
  MemoryAnchor,
  type Step,
  type TransparencyLog,
} from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, World } from "./world.ts";

const server = testServer();

const THAWED =
  /it was frozen for ever, and its database says that it takes entries again; bring the newer database back/;

/** A log of so many entries, frozen, and a copy of its database from just before that: the same tree, byte for byte. */
async function restoredFromBefore(size: number) {
  const { name, db, store } = await server.database();
  const world = new World({ store: await store() });
  const log = await world.start();
  await world.appendAll(log, newEntries(size));
  await log.close();
  // A template must have no other session.
  await db.close();
  const backup = await server.database(name);
  const original = await server.database(name);
  const frozen = world.with({ store: await original.store() });
  const last = await frozen.start();
  await last.freeze();
  const checkpoint = await last.published();
  await last.close();
  const restored = world.with({ store: await backup.store() });
  return { world, restored, backup, checkpoint };
}

async function expectFrozen(world: World, log: TransparencyLog): Promise<void> {
  expect(await log.readiness()).toBeUndefined();
  expect(log.state).toEqual({ frozen: true, refusal: undefined });
  const signed = world.signer.signed.length;
  await expect(log.append(newEntry("too late"))).rejects.toBeInstanceOf(Frozen);
  expect(await log.renew(-Infinity)).toBe(false);
  expect(world.signer.signed).toHaveLength(signed);
  expect(await world.anchor.read()).toMatchObject({ frozen: true, size: (await log.published()).head.size });
}

describe("a frozen log on a database of before it was frozen, with the same tree", () => {
  test.each([0, 10])("takes no entries again at %i entries, and is read", async (size) => {
    const { world, restored, checkpoint } = await restoredFromBefore(size);
    const signed = world.signer.signed.length;
    const log = await restored.start();
    expect(await log.readiness()).toMatch(THAWED);
    await expect(log.append(newEntry("again"))).rejects.toThrow(THAWED);
    await expect(log.renew(-Infinity)).rejects.toThrow(THAWED);
    await expect(log.freeze()).rejects.toThrow(THAWED);
    expect(world.signer.signed).toHaveLength(signed);
    expect((await log.published()).note).toEqual(checkpoint.note);
    expect(await log.entries(0n, 100)).toHaveLength(size);
  });

  test.each([
    ["who appends", (log: TransparencyLog) => log.append(newEntry("again"))],
    ["who only looks", (log: TransparencyLog) => log.readiness()],
  ])("is refused by a process that did not know of it: by %s", async (_who, look) => {
    const { world, restored } = await restoredFromBefore(10);
    let says: Anchor = new MemoryAnchor();
    await says.compareAndSwap(undefined, { ...(await world.anchor.read())!, frozen: false });
    const anchor: Anchor = {
      read: () => says.read(),
      compareAndSwap: (expected, next) => says.compareAndSwap(expected, next),
    };
    const log = await restored.with({ anchor }).start();
    expect(await log.readiness()).toBeUndefined();
    says = world.anchor;
    const signed = world.signer.signed.length;
    await look(log).catch(() => {});
    expect(await log.readiness()).toMatch(/frozen for ever/);
    await expect(log.append(newEntry("again"))).rejects.toThrow(/frozen for ever/);
    expect(world.signer.signed).toHaveLength(signed);
    expect(await world.anchor.read()).toMatchObject({ frozen: true, size: 10n });
  });

  test("is not accepted, nor cut, and frozen once more it is what it was", async () => {
    const { world, restored, backup, checkpoint } = await restoredFromBefore(10);
    await expect(acceptAnchor(restored)).rejects.toThrow(THAWED);
    const { name, anchor, signer } = world;
    const cut = cutUnsigned({ name, db: backup.db, anchor, signer, keep: async () => {} });
    await expect(cut).rejects.toThrow(THAWED);
    const { store } = restored;
    expect(await freezeAgain({ name, store, anchor, signer })).toBe(true);
    expect(await freezeAgain({ name, store, anchor, signer })).toBe(false);
    const log = await restored.start();
    await expectFrozen(restored, log);
    expect(await log.published()).toEqual(checkpoint);
    await restored.check(log, 10);
  });

  test("is not frozen once more where it is older, or another", async () => {
    const { world, checkpoint } = await restoredFromBefore(10);
    const { name, signer } = world;
    const older = new World({ name, signer, store: await server.shared.store() });
    await older.appendAll(await older.start(), newEntries(9));
    const last = { anchor: world.anchor, signer };
    await expect(freezeAgain({ name, store: older.store, ...last })).rejects.toThrow(/older than what was signed/);
    const log = await older.with({ anchor: world.anchor }).start();
    expect(await log.readiness()).toMatch(/its database is older than what was signed: it holds 9 entries/);
    expect(await world.anchor.read()).toMatchObject({ frozen: true, root: checkpoint.head.root });
  });
});

test("a frozen log whose database holds more than it was frozen with is refused, until that is cut off", async () => {
  const { db, store } = await server.database();
  const world = new World({ store: await store() });
  const log = await world.start();
  await world.appendAll(log, newEntries(10));
  await log.freeze();
  await db.query("ALTER TABLE log.tree DISABLE TRIGGER frozen_for_ever");
  await db.query("UPDATE log.tree SET frozen = false");
  // What a program commits that knows nothing of it, and dies.
  const ignorant = new MemoryAnchor();
  await ignorant.compareAndSwap(undefined, { ...(await world.anchor.read())!, frozen: false });
  const { step, arm } = mine();
  const dying = await world.with({ anchor: ignorant, store: await store(step) }).start();
  arm("committed");
  await expect(dying.append(newEntry("beyond"))).rejects.toThrow();

  const signed = world.signer.signed.length;
  expect(await (await world.start()).readiness()).toMatch(THAWED);
  await db.query("UPDATE log.tree SET frozen = true");
  const reason = /frozen for ever with 10 entries, and its database holds 11: nobody signed what is beyond/;
  expect(await (await world.start()).readiness()).toMatch(reason);
  expect(world.signer.signed).toHaveLength(signed);
  const { name, anchor, signer } = world;
  await cutUnsigned({ name, db, anchor, signer, keep: async () => {} });
  await expectFrozen(world, await world.start());
});

test("an entry that a process committed to a database of before, knowing nothing of the freeze, is no end of the log", async () => {
  const { world, restored, backup, checkpoint } = await restoredFromBefore(10);
  let says: Anchor = new MemoryAnchor();
  await says.compareAndSwap(undefined, { ...(await world.anchor.read())!, frozen: false });
  const anchor: Anchor = {
    read: () => says.read(),
    compareAndSwap: (expected, next) => says.compareAndSwap(expected, next),
  };
  const ignorant = await restored.with({ anchor }).start();
  says = world.anchor;
  await expect(ignorant.append(newEntry("beyond"))).rejects.toThrow(/frozen for ever/);

  const { name, signer } = world;
  const { store } = restored;
  expect(await (await restored.start()).readiness()).toMatch(/freeze it once more \(npm run chancery -- freeze --log/);
  expect(await freezeAgain({ name, store, anchor: world.anchor, signer })).toBe(true);
  expect(await (await restored.start()).readiness()).toMatch(/its database holds 11: nobody signed what is beyond/);
  await cutUnsigned({ name, db: backup.db, anchor: world.anchor, signer, keep: async () => {} });
  const log = await restored.start();
  await expectFrozen(restored, log);
  expect((await log.published()).head).toEqual(checkpoint.head);
  await restored.check(log, 10);
});

test("a database of before that has another tree than the log was frozen with is not frozen once more, however large", async () => {
  const { world } = await restoredFromBefore(10);
  const { name, signer } = world;
  const other = new World({ name, signer, store: await server.shared.store() });
  await other.appendAll(await other.start(), newEntries(11).toReversed());
  const again = freezeAgain({ name, store: other.store, anchor: world.anchor, signer });
  await expect(again).rejects.toThrow(/is not what the signed tree of 10 became/);
  expect((await (await other.store.find(name))!.writer.tree()).frozen).toBe(false);
});

/** Dies at a step once it is armed, and does nothing more. */
function mine() {
  let armed: string | undefined;
  let isDead = false;
  const step: Failpoint = (at) => {
    isDead ||= at === armed;
    if (isDead) throw new Error(`dies at ${at}`);
  };
  return { step, arm: (at: string) => void (armed = at) };
}

describe("a process that dies while it freezes a log", () => {
  const STEPS: readonly (Step | FreezeStep)[] = ["frozen", "anchored", "signed", "published", "frozen-anchored"];
  const cases = STEPS.flatMap((step) => [0, 1, 255, 256, 257].map((size) => [step, size] as const));

  test.each(cases)(
    "after '%s', %i entries and one that is unsigned, leaves a log that the next finds frozen",
    async (step, size) => {
      const world = new World({ store: await server.shared.store() });
      const freezing = mine();
      const log = await world.start({ failpoint: freezing.step });
      await world.appendAll(log, newEntries(size));
      // Another process dies between COMMIT and anchor, so that freezing has something to sign.
      const committing = mine();
      const dying = await world.with({ store: await server.shared.store(committing.step) }).start();
      committing.arm("committed");
      await expect(dying.append(newEntry("unsigned"))).rejects.toThrow();

      freezing.arm(step);
      await expect(log.freeze()).rejects.toThrow(/dies at|does not sign/);
      const next = await world.start();
      await expectFrozen(world, next);
      await world.check(next, size + 1);
      const last = await next.published();
      expect(await (await world.start()).published()).toEqual(last);
    },
  );

  test("and before that leaves one that a process which is running completes when it looks", async () => {
    const world = new World({ store: await server.shared.store() });
    const running = await world.start();
    await world.appendAll(running, newEntries(3));
    const { step, arm } = mine();
    const dying = await world.start({ failpoint: step });
    arm("frozen");
    await expect(dying.freeze()).rejects.toThrow("dies at frozen");
    expect(await world.anchor.read()).not.toHaveProperty("frozen");
    await expectFrozen(world, running);
    await world.check(running, 3);
  });
});

describe("nobody is told that a log is frozen before its anchor says so", () => {
  test("and it is told as soon as that can be written", async () => {
    const anchor = new MemoryAnchor();
    let isFull = false;
    const world = new World({
      store: await server.shared.store(),
      anchor: {
        read: () => anchor.read(),
        compareAndSwap: async (expected, next) => {
          if (isFull) throw new Unavailable("the anchor cannot be read or written", 5);
          return await anchor.compareAndSwap(expected, next);
        },
      },
    });
    const [log, other] = [await world.start(), await world.start()];
    await world.appendAll(log, newEntries(3));
    isFull = true;
    await expect(log.freeze()).rejects.toBeInstanceOf(Unavailable);
    for (const one of [log, other]) {
      await expect(one.append(newEntry("put off"))).rejects.toBeInstanceOf(Unavailable);
      expect(await one.readiness()).toMatch(/the anchor cannot be read or written/);
      expect(one.state.frozen).toBe(false);
      expect(one.warning()).toBeUndefined();
    }
    isFull = false;
    await expect(other.append(newEntry("put off"))).rejects.toBeInstanceOf(Frozen);
    await expectFrozen(world, log);
    await world.check(log, 3);
  });

  test("by a process that finds it so in the database, where it was frozen by a version without that line", async () => {
    const world = new World({ store: await server.shared.store() });
    const log = await world.start();
    await world.appendAll(log, newEntries(3));
    await (await world.store.find(world.name))!.writer.freeze();
    await expect(log.append(newEntry("too late"))).rejects.toBeInstanceOf(Frozen);
    expect(await world.anchor.read()).toMatchObject({ frozen: true, size: 3n });
    await expectFrozen(world, await world.start());
  });
});

/** A process that sleeps at a step once it is armed, until it is woken. */
function sleeper() {
  const [asleep, awake] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let armed: string | undefined;
  const step: Failpoint = async (at) => {
    if (at !== armed) return;
    armed = undefined;
    asleep.resolve();
    await awake.promise;
  };
  return { step, arm: (at: string) => void (armed = at), asleep: asleep.promise, wake: () => awake.resolve() };
}

describe("a process that sleeps while another freezes the log", () => {
  test.each(["committed", "anchored", "signed", "published"] as const)(
    "with a batch at '%s' has its entry in the last tree, and is answered",
    async (step) => {
      const sleeping = sleeper();
      const world = new World({ store: await server.shared.store(sleeping.step) });
      const log = await world.start({ failpoint: sleeping.step });
      await world.appendAll(log, newEntries(5));
      const other = world.with({ store: await server.shared.store() });
      const running = await other.start();
      sleeping.arm(step);
      const slept = world.append(log, newEntry("slept"));
      await sleeping.asleep;
      await running.freeze();
      const last = await running.published();
      const signed = world.signer.signed.length;
      expect(last.head.size).toBe(6n);
      sleeping.wake();
      const { entry, checkpoint } = await slept;
      expect([entry.index, checkpoint.head]).toEqual([5n, last.head]);
      // At "anchored" it may sign once more what it had anchored, and publishes it no more.
      for (const { size } of world.signer.signed.slice(signed)) expect(size).toBe(6n);
      await expectFrozen(world, log);
      expect(await log.published()).toEqual(last);
      await world.check(log, 6);
    },
  );

  test.each(["locked", "stored"] as const)(
    "with the lock, at '%s', is waited for or comes to nothing",
    async (step) => {
      const sleeping = sleeper();
      const world = new World({ store: await server.shared.store(sleeping.step) });
      const log = await world.start({ failpoint: sleeping.step });
      await world.appendAll(log, newEntries(5));
      const running = await world.with({ store: await server.shared.store() }).start();
      sleeping.arm(step);
      const slept = log.append(newEntry("slept")).catch((error: unknown) => error);
      await sleeping.asleep;
      const freezing = running.freeze();
      sleeping.wake();
      await freezing;
      const outcome = await slept;
      const size = outcome instanceof Error ? 5 : 6;
      if (outcome instanceof Error) expect(outcome instanceof Frozen || outcome instanceof Unavailable).toBe(true);
      await expectFrozen(world, running);
      await world.check(running, size);
    },
  );
});

const SAME = { from: 0n, to: 0n, path: [] };

describe("the signer of a frozen log", () => {
  test("signs its last head again, and nothing larger or later, whatever its caller says of the anchor", async () => {
    const { signer } = new World({ store: await server.shared.store() });
    const anchor = new MemoryAnchor();
    const anchored = new AnchoredSigner(signer, anchor);
    await anchored.signFirst(1_000);
    const first = (await anchored.readAnchor())!;
    expect(await anchored.freeze(first)).toBe(true);
    const last = (await anchor.read())!;
    expect(last).toEqual({ ...first, frozen: true });
    const empty = { size: 0n, root: EMPTY_ROOT };
    expect(await anchored.sign(last, SAME, { ...empty, time: 900 })).toMatchObject({ head: empty, time: 1_000 });
    const signed = signer.signed.length;
    const larger = { size: 1n, root: new Uint8Array(32), time: 2_000 };
    const growth = { from: 0n, to: 1n, path: [] };
    for (const believed of [last, first]) {
      await expect(anchored.sign(believed, SAME, { ...empty, time: 1_001 })).rejects.toThrow(/frozen for ever/);
      await expect(anchored.sign(believed, growth, larger)).rejects.toThrow(/frozen for ever with 0 entries/);
    }
    // One that slept does not know of it, and finds another anchor than it knew.
    const slept = new AnchoredSigner(signer, anchor);
    expect(await slept.sign(first, growth, larger)).toBeUndefined();
    expect(await slept.sign(first, SAME, { ...empty, time: 1_001 })).toBeUndefined();
    expect(signer.signed).toHaveLength(signed);
    expect(await anchor.read()).toEqual(last);
  });

  test("refuses an anchor that says so no more", async () => {
    const { signer } = new World({ store: await server.shared.store() });
    const anchor = new MemoryAnchor();
    const anchored = new AnchoredSigner(signer, anchor);
    await anchored.signFirst(1_000);
    await anchored.freeze((await anchored.readAnchor())!);
    const { frozen: _, ...other } = (await anchor.read())!;
    await anchor.compareAndSwap(await anchor.read(), { ...other, time: 2_000 });
    await expect(anchored.readAnchor()).rejects.toThrow(/frozen for ever, and says so no more/);
  });
});

test("a lost anchor that is accepted of a frozen log says that it is frozen", async () => {
  const world = new World({ store: await server.shared.store() });
  const log = await world.start();
  await world.appendAll(log, newEntries(3));
  await log.freeze();
  const last = await log.published();
  const lost = world.with({ anchor: new MemoryAnchor() });
  expect(await acceptAnchor(lost)).toMatchObject({ before: undefined, after: { size: 3n, frozen: true } });
  const found = await lost.start();
  await expectFrozen(lost, found);
  expect(await found.published()).toEqual(last);
});
