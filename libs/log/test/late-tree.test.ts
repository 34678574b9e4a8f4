import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Anchor, type LogStore, MemoryLogStore, type StoredLog } from "../src/index.ts";
import { newEntry, World } from "./world.ts";

/** A store whose answers to `tree()` can be held up on their way, as by one lost packet. */
class SlowTree implements LogStore {
  held: Promise<void> | undefined;
  readonly #store = new MemoryLogStore();

  async find(name: string): Promise<StoredLog | undefined> {
    const stored = await this.#store.find(name);
    return stored && this.#slow(stored);
  }

  async create(...log: Parameters<LogStore["create"]>): Promise<StoredLog> {
    return this.#slow(await this.#store.create(...log));
  }

  #slow({ writer, reader, unsigned }: StoredLog): StoredLog {
    const tree = async () => {
      const state = await writer.tree();
      await this.held;
      return state;
    };
    return {
      reader,
      unsigned,
      writer: {
        tree,
        commit: (...batch) => writer.commit(...batch),
        publish: (checkpoint) => writer.publish(checkpoint),
        freeze: () => writer.freeze(),
      },
    };
  }
}

test("an answer of the database that was held up while a batch went through does not end signing", async () => {
  const store = new SlowTree();
  const world = new World({ store });
  const log = await world.start();
  await world.append(log, newEntry(1));
  const arrives = Promise.withResolvers<void>();
  store.held = arrives.promise;
  const readiness = log.readiness();
  await delay(20);
  store.held = undefined;
  await world.append(log, newEntry(2));
  arrives.resolve();
  expect(await readiness).toBeUndefined();
  await world.append(log, newEntry(3));
  await world.check(log, 3);
});

/** An anchor and a store in front of others, in which something happens before this or that read. */
function watched(world: World, before: { anchor(): Promise<void>; tree(): Promise<void> }) {
  const anchor: Anchor = {
    read: async () => {
      await before.anchor();
      return await world.anchor.read();
    },
    compareAndSwap: (expected, next) => world.anchor.compareAndSwap(expected, next),
  };
  const store: LogStore = {
    create: (name, key, time) => world.store.create(name, key, time),
    find: async (name) => {
      const { reader, unsigned, writer } = (await world.store.find(name))!;
      const tree = async () => {
        await before.tree();
        return await writer.tree();
      };
      const commit: typeof writer.commit = (identities, integrate) => writer.commit(identities, integrate);
      return {
        reader,
        unsigned,
        writer: { tree, commit, publish: (checkpoint) => writer.publish(checkpoint), freeze: () => writer.freeze() },
      };
    },
  };
  return world.with({ store, anchor });
}

test("batches of another process before the tree is read and after it do not end signing", async () => {
  const world = new World({ store: new MemoryLogStore() });
  const other = await world.start();
  let [watching, entries, grown] = [false, 0, 0];
  const grow = async () => {
    // A busy process, which for some time is always in between; at last it rests.
    if (watching && ++entries < 30) await world.append(other, newEntry(`other ${++grown}`));
  };
  const before = { anchor: grow, tree: grow };
  watching = true;
  const slow = await watched(world, before).start();
  expect(entries).toBeGreaterThan(3);
  entries = 0;
  expect(await slow.readiness()).toBeUndefined();
  expect(entries).toBeGreaterThan(3);
  await world.append(slow, newEntry("a"));
  expect(await slow.readiness()).toBeUndefined();
  await world.check(slow, grown + 1);
});

test("an entry that one process acknowledged is found by another at once", async () => {
  const world = new World({ store: new MemoryLogStore() });
  const [one, other] = [await world.start(), await world.start()];
  await other.published();
  const { entry } = await world.append(one, newEntry(1));
  expect(await other.entry(entry.index)).toEqual(entry);
  await world.check(other, 1);
});
