import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Database } from "@chancery/postgres";
import { expect, test } from "vitest";
import { PostgresLogStore } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, World } from "./world.ts";

const server = testServer();

/** Passes on what it gets, until it holds all of it back: a frozen machine, a lost route, a disk that does not answer. */
async function hangingProxy(url: string) {
  const socket = `${new URLSearchParams(url.split("?")[1]).get("host")}/.s.PGSQL.5432`;
  const sockets = new Set<Socket>();
  let held: (() => void)[] | undefined;
  const pass = (chunk: Buffer | string, to: Socket) =>
    held === undefined ? to.write(chunk) : held.push(() => to.write(chunk));
  const listener = createServer((client) => {
    const upstream = connect(socket);
    for (const each of [client, upstream]) {
      sockets.add(each);
      each.on("error", () => {});
      each.on("close", () => [client, upstream].map((side) => side.destroy()));
    }
    client.on("data", (chunk) => void pass(chunk, upstream));
    upstream.on("data", (chunk) => void pass(chunk, client));
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  return {
    url: url.replace(/@\/(.*)\?.*$/, `@127.0.0.1:${port}/$1`),
    hang: () => (held = []),
    goOn: () => {
      const waiting = held ?? [];
      held = undefined;
      for (const write of waiting) write();
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of sockets) each.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}

test("a database that hangs keeps no reader of the checkpoint waiting for as long as it hangs", async () => {
  await using proxy = await hangingProxy((await server.database()).url);
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
