import { expect, test } from "vitest";
import { type LogStore, MemoryLogStore, type StoredLog } from "../src/index.ts";
import { newEntry, range, World } from "./world.ts";

const CLIENTS = 64;
const EACH = 8;

/** Tells how many entries each batch began with, and has another process write before it. */
class Watched implements LogStore {
  readonly batches: number[] = [];
  readonly #store: LogStore;
  readonly #before: () => Promise<unknown>;

  constructor(store: LogStore, before: () => Promise<unknown>) {
    this.#store = store;
    this.#before = before;
  }

  async find(name: string): Promise<StoredLog | undefined> {
    const found = await this.#store.find(name);
    if (found === undefined) return undefined;
    const { writer, reader, unsigned } = found;
    const commit: typeof writer.commit = async (identities, ...rest) => {
      this.batches.push(identities.length);
      await this.#before();
      await writer.commit(identities, ...rest);
    };
    return {
      reader,
      unsigned,
      writer: {
        commit,
        tree: () => writer.tree(),
        publish: (checkpoint) => writer.publish(checkpoint),
        freeze: () => writer.freeze(),
      },
    };
  }

  create(...log: Parameters<LogStore["create"]>): Promise<StoredLog> {
    return this.#store.create(...log);
  }
}

test("beside another process a batch begins with all who were just answered", async () => {
  const world = new World({ store: new MemoryLogStore() });
  const other = await world.start();
  let others = 0;
  const store = new Watched(world.store, () => world.append(other, newEntry(`other ${others++}`)));
  const log = await world.with({ store }).start();
  const client = async (number: number) => {
    for (const at of range(EACH)) await world.append(log, newEntry(`${number} ${at}`));
  };
  await Promise.all(range(CLIENTS).map(client));
  // That others write is seen in the second batch.
  expect(store.batches.slice(2, EACH)).toEqual(range(EACH - 2).map(() => CLIENTS));
  await log.close();
  await other.close();
  await world.check(await world.start());
});
