import { utf8 } from "@chancery/encoding";
import { Frozen, Malformed, Pushback, TooLarge, Unavailable } from "@chancery/fault";
import { leafHash, parseEntryBundle, verifyConsistency, verifyInclusion } from "@chancery/tlog";
import { describe, expect, test } from "vitest";
import { type LogStore, MemoryLogStore, type NewEntry, type TransparencyLog } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, range, searchKey, timedEntry, World } from "./world.ts";

const server = testServer();
const memory = new MemoryLogStore();

const stores: [string, () => Promise<LogStore>][] = [
  ["memory", async () => memory],
  ["PostgreSQL", async () => await server.shared.store()],
];

const large = (name: string): NewEntry => ({ ...newEntry(name), extra: new Uint8Array(2000).fill(7) });

describe.each(stores)("a log in %s", (_kind, openStore) => {
  const newWorld = async () => new World({ store: await openStore() });

  test("has a signed checkpoint before its first entry", async () => {
    const world = await newWorld();
    const log = await world.start();
    expect((await log.published()).head.size).toBe(0n);
    expect(await log.readiness()).toBeUndefined();
    expect(await log.entries(0n, 10)).toEqual([]);
    expect(await log.tile(0, 0, 1)).toBeUndefined();
    expect(await log.lookup.search([searchKey("x")], "or", 10)).toEqual([]);
    await world.check(log, 0);
  });

  test("answers an append with its place, a proof and the checkpoint that covers it", async () => {
    const world = await newWorld();
    let now = 1_700_000_000_000;
    const log = await world.start({ clock: () => now });
    now += 123;
    const { entry: logged, duplicate, proof, checkpoint } = await world.append(log, newEntry("a"));
    expect(logged).toEqual({
      index: 0n,
      time: 1_700_000_000_123,
      identity: leafHash(utf8("entry a")),
      leaf: utf8("entry a"),
      extra: new Uint8Array(),
    });
    expect(duplicate).toBe(false);
    expect(checkpoint).toMatchObject({ head: { size: 1n }, time: 1_700_000_000_123 });
    verifyInclusion(proof, leafHash(logged.leaf), world.signer.verify(checkpoint.note));
    expect(await log.published()).toEqual(checkpoint);
    expect(await log.findIdentity(logged.identity)).toEqual(logged);
    await world.check(log, 1);
  });

  test("grows over the edges of tiles in batches of every kind, and is whole after each", async () => {
    const world = await newWorld();
    const log = await world.start();
    let size = 0;
    for (const batch of [1, 1, 253, 1, 1, 3, 256, 700]) {
      await world.appendAll(
        log,
        range(batch, size).map((at) => newEntry(at)),
      );
      size += batch;
      await world.check(log, size);
    }
    const reopened = await world.start();
    await world.append(reopened, newEntry("after a restart"));
    await world.check(reopened, size + 1);
  });

  test("keeps what it is given beside the leaf, and a leaf that knows its time and place", async () => {
    const world = await newWorld();
    let now = 5_000;
    const log = await world.start({ clock: () => now++ });
    await world.appendAll(
      log,
      range(20).map((name) => timedEntry(name)),
    );
    const found = await log.findLeafHash(leafHash(utf8(`${(await log.entry(7n))!.time} 7 7`)));
    expect(found).toMatchObject({ index: 7n, extra: utf8("chain of 7") });
    expect(await log.findLeafHash(found!.identity)).toBeUndefined();
    const { entry: again, duplicate } = await log.append(timedEntry(7));
    expect(duplicate).toBe(true);
    expect(again).toEqual(found);
    await world.check(log, 20);
  });

  test("a thousand equal entries at once are one leaf with one place, and one of them is the first", async () => {
    const world = await newWorld();
    const log = await world.start();
    await world.append(log, newEntry("before"));
    const answers = await world.appendAll(
      log,
      range(1000).map(() => newEntry("same")),
    );
    expect(new Set(answers.map((answer) => answer.entry.index))).toEqual(new Set([1n]));
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    const later = await world.append(log, newEntry("same"));
    expect(later).toMatchObject({ duplicate: true, entry: { index: 1n } });
    const restarted = await world.start();
    expect(await world.append(restarted, newEntry("same"))).toMatchObject({ duplicate: true, entry: { index: 1n } });
    await world.check(restarted, 2);
  });

  test("two processes at once make one history, with each entry once", async () => {
    const world = await newWorld();
    const logs = [await world.start(), await world.start()];
    const client = async (log: TransparencyLog, names: number[]) => {
      for (const name of names) await world.append(log, newEntry(name));
    };
    // Names overlap, so that equal entries meet in different processes.
    await Promise.all(
      logs.flatMap((log) => range(8).map((at) => client(log, at % 2 === 0 ? range(40, at * 10) : range(40, 300)))),
    );
    const names = new Set([...[0, 2, 4, 6].flatMap((at) => range(40, at * 10)), ...range(40, 300)]);
    for (const log of logs) await world.check(log, names.size);
    expect(world.acknowledged.filter(({ duplicate }) => !duplicate)).toHaveLength(names.size);
    expect(await logs[0]!.readiness()).toBeUndefined();
  });

  test("time never goes back, whatever the clock does", async () => {
    const world = await newWorld();
    let now = 10_000;
    const log = await world.start({ clock: () => now });
    const times: number[] = [];
    for (now of [20_000, 15_000, 16_000, 30_000]) {
      times.push((await world.append(log, newEntry(now))).entry.time);
    }
    expect(times).toEqual([20_000, 20_001, 20_002, 30_000]);
    await world.check(log, 4);
  });

  test("beyond its room it pushes back at once, and takes more when there is room again", async () => {
    const world = await newWorld();
    const log = await world.start({ limits: { entries: 8 } });
    const accepted = range(8).map((name) => world.append(log, newEntry(name)));
    const refused = await log.append(newEntry("one too many")).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Pushback);
    expect(refused).toMatchObject({ retryAfter: 1 });
    const joined = world.append(log, newEntry(3));
    await Promise.all([...accepted, joined]);
    await world.append(log, newEntry("one too many"));
    await world.check(log, 9);
  });

  test("room is counted in bytes as well, but one entry alone always fits", async () => {
    const world = await newWorld();
    const log = await world.start({ limits: { bytes: 1000, batchBytes: 1000 } });
    const first = world.append(log, large("a"));
    await expect(log.append(large("b"))).rejects.toBeInstanceOf(Pushback);
    await first;
    await world.append(log, large("b"));
    await world.check(log, 2);
  });

  test("batches keep to their bounds", async () => {
    const world = await newWorld();
    const log = await world.start({ limits: { batchEntries: 10 } });
    await world.appendAll(log, newEntries(35));
    expect(world.signer.signed.map(({ size }) => size)).toEqual([0n, 10n, 20n, 30n, 35n]);
    await world.check(log, 35);
  });

  test("frozen, it takes nothing, its last checkpoint stays, and all can be read", async () => {
    const world = await newWorld();
    const log = await world.start();
    const other = await world.start();
    await world.appendAll(log, newEntries(5));
    await log.freeze();
    const last = await log.published();
    await expect(log.append(newEntry("late"))).rejects.toBeInstanceOf(Frozen);
    await expect(other.append(newEntry("late"))).rejects.toBeInstanceOf(Frozen);
    for (const one of [log, other]) {
      expect(await one.readiness()).toBeUndefined();
      expect(one.warning()).toBe(`log ${world.name}: is frozen: it is read, and takes no more entries`);
    }
    const restarted = await world.start();
    await expect(restarted.append(newEntry("late"))).rejects.toBeInstanceOf(Frozen);
    expect(await restarted.published()).toEqual(last);
    await world.check(restarted, 5);
  });

  test("closing answers what is under way and takes no more", async () => {
    const world = await newWorld();
    const log = await world.start();
    const underWay = world.appendAll(log, newEntries(50));
    await Promise.resolve();
    const closed = log.close();
    await expect(log.append(newEntry("late"))).rejects.toBeInstanceOf(Unavailable);
    await closed;
    expect(await underWay).toHaveLength(50);
    await world.check(await world.start(), 50);
  });

  test("shows nothing that is not published", async () => {
    const world = await newWorld();
    const log = await world.start();
    await world.appendAll(log, newEntries(3));
    const goOn = Promise.withResolvers<void>();
    const swap = world.anchor.compareAndSwap.bind(world.anchor);
    world.anchor.compareAndSwap = async (...heads) => {
      await goOn.promise;
      return await swap(...heads);
    };
    const committed = world.append(log, newEntry("committed, not yet published"));
    const { writer } = (await world.store.find(world.name))!;
    await expect.poll(async () => (await writer.tree()).size).toBe(4n);
    expect(await log.entry(3n)).toBeUndefined();
    expect(await log.findIdentity(newEntry("committed, not yet published").identity)).toBeUndefined();
    expect(await log.tile(0, 0, 4)).toBeUndefined();
    expect(await log.entryBundle(0, 4)).toBeUndefined();
    await expect(log.inclusionProof(0n, 4n)).rejects.toBeInstanceOf(Malformed);
    await expect(log.consistencyProof(1n, 4n)).rejects.toBeInstanceOf(Malformed);
    goOn.resolve();
    await committed;
    await world.check(log, 4);
  });

  test("proves every published tree from every other", async () => {
    const world = await newWorld();
    const log = await world.start();
    const heads = [(await log.published()).head];
    for (const name of range(12)) heads.push((await world.append(log, newEntry(name))).checkpoint.head);
    for (const [from, old] of heads.entries()) {
      for (const young of heads.slice(from)) {
        verifyConsistency(await log.consistencyProof(old.size, young.size), old, young);
      }
    }
    await expect(log.consistencyProof(3n, 2n)).rejects.toBeInstanceOf(Malformed);
    await expect(log.consistencyProof(0n, 13n)).rejects.toBeInstanceOf(Malformed);
    await expect(log.inclusionProof(-1n, 5n)).rejects.toBeInstanceOf(Malformed);
    await expect(log.inclusionProof(5n, 5n)).rejects.toBeInstanceOf(Malformed);
  });

  test("serves any width of a tile and a bundle that was ever published, and no other", async () => {
    const world = await newWorld();
    const log = await world.start();
    await world.appendAll(log, newEntries(300));
    expect(await log.tile(0, 1, 44)).toHaveLength(44 * 32);
    expect(await log.tile(0, 1, 7)).toEqual((await log.tile(0, 1, 44))!.subarray(0, 7 * 32));
    expect(await log.tile(0, 0, 256)).toHaveLength(256 * 32);
    expect(parseEntryBundle((await log.entryBundle(1, 44))!)).toEqual(
      range(44, 256).map((at) => newEntry(at).leaf({ index: 0n, time: 0 })),
    );
    for (const [level, index, width] of [
      [0, 1, 45],
      [0, 2, 1],
      [1, 0, 2],
      [2, 0, 1],
      [-1, 0, 1],
      [0, -1, 1],
      [0, 0, 0],
      [0, 0, 257],
      [64, 0, 1],
      [0, 2 ** 53, 1],
      [0, 0.5, 1],
    ] as const) {
      expect(await log.tile(level, index, width)).toBeUndefined();
    }
  });

  test("finds what came after a search that is asked again", async () => {
    const world = await newWorld();
    const log = await world.start();
    const found = (limit = 10) => log.lookup.search([searchKey("a")], "or", limit);
    expect(await found()).toEqual([]);
    await world.append(log, newEntry("first", ["a"]));
    for (const _ of range(3)) expect(await found()).toEqual([0n]);
    await world.append(log, newEntry("other", ["b"]));
    for (const _ of range(3)) expect(await found()).toEqual([0n]);
    await world.append(log, newEntry("second", ["a"]));
    for (const _ of range(3)) expect(await found()).toEqual([2n, 0n]);
    expect(await found(1)).toEqual([2n]);
    (await found()).push(7n);
    expect(await found()).toEqual([2n, 0n]);
    await world.check(log, 3);
  });

  test("finds entries by their keys", async () => {
    const world = await newWorld();
    const log = await world.start();
    await world.appendAll(
      log,
      range(6).map((at) => newEntry(at, ["all", "all", `mod ${at % 2}`])),
    );
    const [all, even, odd] = ["all", "mod 0", "mod 1"].map(searchKey);
    expect(await log.lookup.search([all!, odd!], "and", 10)).toEqual([5n, 3n, 1n]);
    expect(await log.lookup.search([even!, odd!], "or", 4)).toEqual([5n, 4n, 3n, 2n]);
    expect(await log.lookup.search([], "or", 4)).toEqual([]);
    const many = range(1_001).map((at) => searchKey(`${at}`));
    await expect(log.lookup.search(many, "or", 4)).rejects.toBeInstanceOf(TooLarge);
  });

  test("looks for nothing beyond what is published", async () => {
    const log = await (await newWorld()).start();
    const asked = { groups: [[searchKey("all")]], begin: 0n, end: 1n, order: "newest", candidates: 1 } as const;
    await expect(log.lookup.find(asked)).rejects.toThrow("has not published a tree of 1 entry");
  });

  test("refuses identities and names that it could not keep whole", async () => {
    const log = await (await newWorld()).start();
    for (const wrong of [
      { identity: new Uint8Array(16) },
      { names: [{ name: "x".repeat(513), key: new Uint8Array(16) }] },
      { names: [{ name: "x", key: new Uint8Array(8) }] },
    ] satisfies Partial<NewEntry>[]) {
      await expect(log.append({ ...newEntry(1), ...wrong })).rejects.toBeInstanceOf(Malformed);
    }
  });

  test("an entry whose leaf cannot be made harms no one else's", async () => {
    const world = await newWorld();
    const log = await world.start();
    const broken = {
      ...newEntry("broken"),
      leaf: () => {
        throw new Error("no leaf");
      },
    };
    const [refused] = await Promise.allSettled([log.append(broken), world.appendAll(log, newEntries(5))]);
    expect(refused).toMatchObject({ status: "rejected" });
    await world.check(log, 5);
  });
});
