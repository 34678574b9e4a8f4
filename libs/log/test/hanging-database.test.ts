import { setTimeout as delay } from "node:timers/promises";
import { Database } from "@chancery/postgres";
import { expect, test } from "vitest";
import { cuttingProxy } from "../../postgres/test/cutting-proxy.ts";
import { PostgresLogStore } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, World } from "./world.ts";

const server = testServer();

test("a database that hangs keeps no reader of the checkpoint waiting for as long as it hangs", async () => {
  await using proxy = await cuttingProxy((await server.database()).url);
  await using db = await Database.open(proxy.url, { max: 4 });
  const world = new World({ store: await PostgresLogStore.open(db) });
  const log = await world.start();
  await world.appendAll(log, newEntries(5));
  const before = await log.published();
  // Longer than a checkpoint in memory counts as fresh.
  await delay(150);
  proxy.hang();
  expect(await log.published()).toEqual(before);
  // Nobody after the first waits at all, and nobody asks again.
  const asked = Array.from({ length: 1000 }, () => log.published());
  expect(new Set(await Promise.all(asked)).size).toBe(1);
  proxy.goOn();
  await world.append(log, newEntry("next"));
  expect((await log.published()).head.size).toBe(6n);
  await world.check(log, 6);
});

test("a database that hangs keeps no caller waiting for longer than an answer may take, wherever it hangs", async () => {
  await using proxy = await cuttingProxy((await server.database()).url);
  await using db = await Database.open(proxy.url, { max: 4 });
  const world = new World({ store: await PostgresLogStore.open(db) });
  await world.appendAll(await world.start(), newEntries(5));
  const log = await world.start({ limits: { answerMs: 700, batchEntries: 2 } });
  proxy.hang();
  // The second and the third batch wait for their turn.
  const told = await Promise.all(newEntries(6, 5).map((entry) => log.append(entry).catch((error: unknown) => error)));
  expect(told.map(String)).toEqual(told.map(() => expect.stringContaining("has no answer yet")));
  expect(told).toEqual(told.map(() => expect.objectContaining({ retryAfter: 5 })));
  proxy.goOn();
  await log.close();
  const again = await world.with({}).start();
  expect((await world.appendAll(again, newEntries(6, 5))).map(({ duplicate }) => duplicate)).toEqual(
    told.map(() => true),
  );
  await world.check(again, 11);
});
