import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { type LogStore, MemoryLogStore, type StoredLog } from "../src/index.ts";
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

  #slow({ writer, reader }: StoredLog): StoredLog {
    const tree = async () => {
      const state = await writer.tree();
      await this.held;
      return state;
    };
    return {
      reader,
      writer: {
        tree,
        commit: (identities, integrate) => writer.commit(identities, integrate),
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

test("an entry that one process acknowledged is found by another at once", async () => {
  const world = new World({ store: new MemoryLogStore() });
  const [one, other] = [await world.start(), await world.start()];
  await other.published();
  const { entry } = await world.append(one, newEntry(1));
  expect(await other.entry(entry.index)).toEqual(entry);
  await world.check(other, 1);
});
