import { setTimeout as delay } from "node:timers/promises";
import { RefusedToSign, Unavailable } from "@chancery/fault";
import { beforeEach, describe, expect, test } from "vitest";
import { type LogReader, type LogStore, MemoryLogStore, type StoredLog, type TransparencyLog } from "../src/index.ts";
import { addition, placed } from "./contract.ts";
import { newEntries, newEntry, range, World } from "./world.ts";

/** A database address that leads to one server now, and to another, older one later. */
class FailedOver implements LogStore {
  #current: StoredLog;
  beforeEntries = () => {};

  constructor(first: StoredLog) {
    this.#current = first;
  }

  to(other: StoredLog): void {
    this.#current = other;
  }

  async find(): Promise<StoredLog> {
    const now = () => this.#current;
    const reader: LogReader = {
      published: () => now().reader.published(),
      entries: (start, count) => {
        this.beforeEntries();
        return now().reader.entries(start, count);
      },
      leaves: (start, count) => now().reader.leaves(start, count),
      tiles: (tiles) => now().reader.tiles(tiles),
      findIndex: (by, hash) => now().reader.findIndex(by, hash),
      sizesAt: (times, size) => now().reader.sizesAt(times, size),
      search: (search) => now().reader.search(search),
      entriesAt: (indexes, extraBytes) => now().reader.entriesAt(indexes, extraBytes),
      names: (prefix, limit) => now().reader.names(prefix, limit),
      unindexed: () => now().reader.unindexed(),
    };
    return {
      writer: {
        tree: () => now().writer.tree(),
        commit: (...batch) => now().writer.commit(...batch),
        publish: (checkpoint) => now().writer.publish(checkpoint),
        freeze: () => now().writer.freeze(),
      },
      reader,
      unsigned: reader,
    };
  }

  async create(): Promise<StoredLog> {
    throw new Error("not created here");
  }
}

/** Longer than a checkpoint is answered from memory. */
const FORGOTTEN_MS = 120;
const OLDER = 300;
const NEWER = 900;

let log: TransparencyLog;
let database: FailedOver;
let older: StoredLog;

/** What `newEntries` become. */
const numbered = (count: number, from = 0) => range(count, from).map((name) => placed(`entry ${name}`));

/** A log of this size on a store of its own; of the same entries it is the same log. */
async function grown(size: number, world: World): Promise<StoredLog> {
  const running = await world.start({ limits: { batchEntries: 100 } });
  await world.appendAll(running, newEntries(size));
  await running.close();
  return (await world.store.find(world.name))!;
}

beforeEach(async () => {
  const world = new World({ store: new MemoryLogStore() });
  const newer = await grown(NEWER, world);
  older = await grown(OLDER, new World({ name: world.name, store: new MemoryLogStore(), signer: world.signer }));
  database = new FailedOver(newer);
  log = await world.with({ store: database }).start();
  await log.published();
});

const lost: Record<string, () => Promise<unknown>> = {
  "an entry": () => log.entry(800n),
  "a range of entries that begins before": () => log.entries(290n, 20),
  "a full tile": () => log.tile(0, 1, 256),
  "a partial tile": () => log.tile(0, 3, 100),
  "an entry bundle": () => log.entryBundle(1, 256),
  "an inclusion proof": () => log.inclusionProof(700n, 900n),
  "a consistency proof": () => log.consistencyProof(200n, 900n),
};

describe("on a database that failed over to an older state", () => {
  test.each(Object.entries(lost))("%s that was lost is unavailable, and not unheard of", async (_what, read) => {
    database.to(older);
    // Before anyone noticed, and after.
    const before = await read().catch((error: unknown) => error);
    expect(before).toBeInstanceOf(Unavailable);
    expect(await log.readiness()).toMatch(
      /its database is older than what was signed: it holds 300 entries, a tree of 900 was signed/,
    );
    const after = await read().catch((error: unknown) => error);
    expect(after).toBeInstanceOf(RefusedToSign);
    expect((after as RefusedToSign).message).toMatch(/older than what was signed/);
  });

  test("a tile that is still in memory is no longer served once the loss is noticed", async () => {
    expect(await log.tile(0, 1, 256)).toHaveLength(256 * 32);
    database.to(older);
    expect(await log.readiness()).toMatch(/older than what was signed/);
    await expect(log.tile(0, 1, 256)).rejects.toBeInstanceOf(RefusedToSign);
  });

  test("who only reads checkpoints notices it, and is shown none from memory", async () => {
    await delay(FORGOTTEN_MS);
    database.to(older);
    await expect(log.published()).rejects.toThrow(/its database is older than what was signed/);
    await expect(log.append(newEntries(1)[0]!)).rejects.toBeInstanceOf(RefusedToSign);
  });

  test("what it has is readable, and what never was is not there", async () => {
    database.to(older);
    expect(await log.readiness()).toMatch(/older than what was signed/);
    expect(await log.entry(299n)).toMatchObject({ index: 299n });
    expect(await log.entries(290n, 10)).toHaveLength(10);
    expect(await log.tile(0, 0, 256)).toHaveLength(256 * 32);
    expect((await log.inclusionProof(7n, 300n)).path).not.toEqual([]);
    expect(await log.entry(900n)).toBeUndefined();
    expect(await log.tile(0, 9, 1)).toBeUndefined();
    await expect(log.inclusionProof(7n, 901n)).rejects.toThrow("has not published a tree of 901 entries");
  });
});

/** A log of five entries, and a standby that has them and nothing that comes after. */
async function withStandby() {
  const world = new World({ store: new MemoryLogStore() });
  const first = await grown(5, world);
  const standby = await new MemoryLogStore().create("standby", world.signer, 1);
  const { time } = await first.writer.tree();
  await standby.writer.commit([], (state) => addition(state, numbered(5), time));
  await standby.writer.publish((await first.reader.published())!);
  return { world, first, standby, failing: new FailedOver(first) };
}

test("a database that fails over while what it has not signed is read, and loses it, is not taken for damaged", async () => {
  const { world, first, standby, failing } = await withStandby();
  const running = await world.with({ store: failing }).start();
  await first.writer.commit([], (state) => addition(state, numbered(3, 100)));
  failing.beforeEntries = () => failing.to(standby);
  expect(await running.readiness()).toMatch(/the database lost what it had committed and not signed/);
  expect(await running.readiness()).toBeUndefined();
  await world.appendAll(running, newEntries(3, 200));
  await world.check(running, 8);
});

test("what a database lost before it was signed is not remembered: its heirs are proven by their own hashes", async () => {
  const { world, first, standby, failing } = await withStandby();
  const running = await world.with({ store: failing }).start();

  // Committed by a process that died before it was anchored, and met by whoever reads meanwhile.
  await first.writer.commit([], (state) => addition(state, numbered(3, 100)));
  await running.inclusionProof(1n, 5n);
  await running.tile(0, 0, 5);
  failing.to(standby);
  await world.appendAll(running, newEntries(3, 200));
  await world.append(running, newEntry(200));
  await world.check(running, 8);
  expect(await running.readiness()).toBeUndefined();
});
