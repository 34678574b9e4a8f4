import { basename, dirname } from "node:path";
import { FileAnchor } from "@chancery/log";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isFrozenForEver, readHeads } from "../src/watch/stored-heads.ts";
import { differenceOf, type Server, startServer } from "./logs.ts";

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

test("a frozen log on a database of before it was frozen is found, though its tree is the same", async () => {
  const world = await server.grow("text", [300]);
  await world.db.query("UPDATE log.tree SET frozen = true WHERE log = $1", [world.log]);
  const later =
    "frozen: it takes no more entries, for ever; its anchor does not say so yet, which its next start completes";
  expect(await world.check()).toMatchObject({ notes: [later] });
  await (await world.open()).close();
  expect(await world.check()).toMatchObject({ notes: ["frozen: it takes no more entries, for ever"] });
  const where = { db: world.db, name: "audited", anchor: world.anchor };
  await expect(readHeads(where)).resolves.toEqual({ anchored: 300n, stored: 300n });

  expect(
    await differenceOf(world.checkDamaged([["UPDATE log.tree SET frozen = false WHERE log = $1", world.log]])),
  ).toMatchObject({
    place: { kind: "tree", field: "frozen" },
    found: "false",
    meaning: expect.stringMatching(/^the log was frozen for ever, and its database is one of before/),
  });
  expect(
    await differenceOf(world.checkDamaged([["UPDATE log.tree SET size = 301 WHERE log = $1", world.log]])),
  ).toMatchObject({
    place: { kind: "tree", field: "size" },
    expected: "300, as it was frozen with",
  });
  await world.db.query("ALTER TABLE log.tree DISABLE TRIGGER frozen_for_ever");
  await world.db.query("UPDATE log.tree SET frozen = false WHERE log = $1", [world.log]);
  await expect(readHeads(where)).rejects.toThrow(
    /audited was frozen for ever, as its anchor says, and its database says that it takes entries again/,
  );
});

test("a log that its rows alone say is frozen is not believed to be, before its anchor says so", async () => {
  const world = await server.grow("text", [3]);
  const where = { db: world.db, name: "audited", anchor: world.anchor };
  await world.db.query("UPDATE log.tree SET frozen = true WHERE log = $1", [world.log]);
  expect(await isFrozenForEver(where)).toBe(false);
  await (await world.open()).close();
  expect(await isFrozenForEver(where)).toBe(true);
  expect(await isFrozenForEver({ ...where, anchor: undefined })).toBe(false);
});

test("an anchor is read in any form there is", async () => {
  const world = await server.grow("text", [3]);
  const folder = dirname(world.anchor);
  const anchor = await FileAnchor.open(folder, basename(world.anchor));
  for (const more of [{ cuts: 2 }, { cuts: 2, accepted: "0f".repeat(16) }, { accepted: "f0".repeat(16) }]) {
    const { cuts: _, accepted: __, ...head } = (await anchor.read())!;
    expect(await anchor.compareAndSwap(await anchor.read(), { ...head, ...more })).toBe(true);
    expect(await world.check()).toMatchObject({ size: 3n });
  }
});
