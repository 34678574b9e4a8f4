import { Misconfigured, RefusedToSign } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import { sameAnchor } from "../src/anchor.ts";
import {
  acceptAnchor,
  type Anchor,
  type AnchoredHead,
  cutUnsigned,
  type Failpoint,
  type NewEntry,
} from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, searchKeysOf, timedEntry, World } from "./world.ts";

const server = testServer();

const changed = (table: string, what: string) => `UPDATE log.${table} SET ${what}`;
const IN_LEAF = changed("entry", "leaf = set_byte(leaf, 0, get_byte(leaf, 0) # 1) WHERE index = 12");

const keep = async () => {};
const keepOnFullDisk = async () => {
  throw new Misconfigured("--keep", "no space left");
};
const kinds = { rekor: newEntry, ctlog: timedEntry } as const;

/** A log of ten entries and five that were committed before its process died, in which rows were changed since. */
async function damaged(change: string, entry: (name: number) => NewEntry = newEntry, signed = 10) {
  const made = await server.database();
  let dies = false;
  const failpoint: Failpoint = (step) => {
    if (dies && step === "committed") throw new Error("the process dies");
  };
  const world = new World({ store: await made.store(failpoint) });
  const log = await world.start();
  const named = (count: number, from: number) =>
    newEntries(count, from).map((_, at) =>
      Object.assign(entry(from + at), { searchKeys: searchKeysOf([`${from + at}`]) }),
    );
  await world.appendAll(log, named(signed, 0));
  dies = true;
  await Promise.allSettled(named(5, signed).map((each) => log.append(each)));
  await made.db.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query(change);
  });
  const lines: (string | undefined)[] = [];
  const next = world.with({ store: await made.store() });
  const { name, anchor, signer } = world;
  const cut = (isCut = true) =>
    cutUnsigned({
      name,
      db: made.db,
      anchor,
      signer,
      ...(isCut ? { keep: async (line: string | undefined) => void lines.push(line) } : {}),
    });
  return { world, log, next, db: made.db, cut, lines, named };
}

describe.each(["rekor", "ctlog"] as const)("what was committed in %s, never signed, and damaged", (kind) => {
  test.each([
    ["a leaf", IN_LEAF],
    ["an entry that is gone", "DELETE FROM log.entry WHERE index = 12"],
    ["all entries", "DELETE FROM log.entry WHERE index >= 10"],
    ["an identity that leads back", changed("identity", "index = 3 WHERE index = 12")],
    ["a time", changed("entry", "time = 5 WHERE index = 12")],
    ["a hash in a tile", changed("tile", "hashes = set_byte(hashes, 33, 1) WHERE level = 0 AND start = 10")],
    ["the tree's root", changed("tree", "root = sha256('x')")],
    ["the tree's edge", changed("tree", "edge = ''")],
    ["rows beyond the tree", "INSERT INTO log.entry (log, index, time, leaf) SELECT id, 15, 1, 'stray' FROM log.log"],
  ] as const)("is cut off, and the log goes on: %s", async (_what, change) => {
    const { world, next, db, cut, lines, named } = await damaged(change, kinds[kind]);
    const before = await db.query("SELECT * FROM log.entry WHERE index < 10 ORDER BY index");
    const told = await cut(false);
    expect(told).toMatchObject({ anchored: { size: 10n }, size: 15n });
    expect(lines).toEqual([]);

    expect(await cut()).toEqual(told);
    expect(lines.at(-1)).toBeUndefined();
    const kept = lines.slice(0, -1).map((line) => JSON.parse(line!) as { table: string });
    expect(kept.filter(({ table }) => table === "log.entry")).toHaveLength(told.rows.get("log.entry")!);
    expect(kept).toHaveLength(told.rows.values().reduce((sum, count) => sum + count));
    expect(await db.query("SELECT * FROM log.entry ORDER BY index")).toEqual(before);

    const log = await next.start();
    expect(await log.readiness()).toBeUndefined();
    const again = await next.appendAll(log, named(7, 8));
    expect(again.map(({ entry, duplicate }) => [entry.index, duplicate])).toEqual(
      again.map((_, at) => [BigInt(8 + at), at < 2]),
    );
    world.acknowledged.push(...next.acknowledged);
    await world.check(log, 15);
    await expect(db.query("DELETE FROM log.entry")).rejects.toThrow(/append-only/);
    await expect(db.query("UPDATE log.tree SET size = 1")).rejects.toThrow(/only grows/);
  });

  test.each([255, 256, 257])("is cut off at the edge of a tile: behind %i entries", async (signed) => {
    const change = changed("entry", `time = 5 WHERE index = ${signed + 2}`);
    const { world, next, cut, named } = await damaged(change, kinds[kind], signed);
    await cut();
    const log = await next.start();
    await next.appendAll(log, named(20, signed));
    world.acknowledged.push(...next.acknowledged);
    await world.check(log, signed + 20);
  });
});

describe("nothing is cut", () => {
  test.each([
    ["where nothing is damaged", "SELECT 1", /nothing is damaged/],
    [
      "where what was signed is damaged",
      `${IN_LEAF.replace("= 12", "= 9")}; ${changed("tile", "hashes = set_byte(hashes, 33, 1) WHERE start < 8")}`,
      /is not what the signed tree of 10 became/,
    ],
    ["without a published checkpoint", `${IN_LEAF}; DELETE FROM log.published`, /published checkpoint is missing/],
    [
      "where that is not the log's own",
      `${IN_LEAF}; ${changed("published", "note = 'rubbish'")}`,
      /is not what was signed/,
    ],
    [
      "where the signed tree has an identity that leads to it",
      `${IN_LEAF}; ${changed("identity", "index = 13 WHERE index = 3")}`,
      /identity of a signed entry leads to/,
    ],
    ["where the database is older", `${IN_LEAF}; ${changed("tree", "size = 9")}`, /is older than what was signed/],
  ] as const)("%s", async (_what, change, reason) => {
    const { cut, db, lines, world } = await damaged("SELECT 1");
    await db.transaction(async (tx) => {
      await tx.query("SET LOCAL session_replication_role = replica");
      for (const each of change.split("; ")) await tx.query(each);
    });
    const rows = () => db.query("SELECT (SELECT count(*) FROM log.entry) AS entries, t.* FROM log.tree t");
    const before = await rows();
    const anchored = await world.anchor.read();
    await expect(cut()).rejects.toThrow(reason);
    expect(await rows()).toEqual(before);
    expect(lines).toEqual([]);
    expect(await world.anchor.read()).toEqual(anchored);
  });

  test("that an older anchor does not know and that was published", async () => {
    const { world, next, cut, named } = await damaged("SELECT 1");
    const older = (await world.anchor.read())!;
    const log = await next.start();
    await next.appendAll(log, named(3, 15));
    await world.anchor.compareAndSwap(await world.anchor.read(), older);
    await expect(cut()).rejects.toThrow(/anchor is older than what was published: a tree of 18 entries was signed/);
  });

  test("where the anchor moves at the last moment, nor where the rows cannot be kept", async () => {
    const { world, db, cut, next } = await damaged(IN_LEAF);
    const moving = { read: () => world.anchor.read(), compareAndSwap: async () => false };
    const { name, signer } = world;
    await expect(cutUnsigned({ name, db, signer, anchor: moving, keep })).rejects.toThrow(/its anchor moved meanwhile/);
    await expect(cutUnsigned({ name, db, signer, anchor: world.anchor, keep: keepOnFullDisk })).rejects.toThrow(
      "no space left",
    );
    expect(await (await next.start()).readiness()).toMatch(/not as they were committed/);
    await cut();
    expect(await (await next.start()).readiness()).toBeUndefined();
  });
});

/** One entry of a process that stopped between COMMIT and its anchor, damaged, and cut off while it slept. */
async function cutWhileStopped() {
  const made = await server.database();
  const [reached, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let stops = false;
  const failpoint: Failpoint = async (step) => {
    if (!stops || step !== "committed") return;
    reached.resolve();
    await held.promise;
  };
  const anchor = new LosingAnchor();
  const world = new World({ store: await made.store(failpoint), anchor });
  const log = await world.start();
  await world.appendAll(log, newEntries(11));
  const older = await anchor.read();
  await world.append(log, newEntry(11));
  stops = true;
  const stopped = log.append(newEntry("stopped")).catch((error: unknown) => error);
  await reached.promise;
  await made.db.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query(IN_LEAF);
  });
  const { name, signer } = world;
  await cutUnsigned({ name, db: made.db, anchor, signer, keep });
  const next = world.with({ store: await made.store() });
  return { world, log, next, anchor, older, stopped, wake: () => held.resolve() };
}

class LosingAnchor implements Anchor {
  says: AnchoredHead | undefined;

  async read() {
    return this.says;
  }

  async compareAndSwap(expected: AnchoredHead | undefined, next: AnchoredHead) {
    if (!sameAnchor(this.says, expected)) return false;
    this.says = next;
    return true;
  }
}

async function expectCutForGood({ world, next, log, stopped }: Awaited<ReturnType<typeof cutWhileStopped>>) {
  expect(await stopped).toBeInstanceOf(RefusedToSign);
  expect(world.signer.signed.every(({ size }) => size <= 12n)).toBe(true);
  const anew = await next.start();
  expect(await next.append(anew, newEntry("another"))).toMatchObject({ duplicate: false, entry: { index: 12n } });
  await expect(log.append(newEntry("of the woken"))).rejects.toBeInstanceOf(RefusedToSign);
  world.acknowledged.push(...next.acknowledged);
  await world.check(anew, 13);
}

test("a process that stopped on its way to the anchor and wakes after the cut signs nothing of what was cut", async () => {
  const cut = await cutWhileStopped();
  cut.wake();
  expect(await cut.stopped).toBeInstanceOf(RefusedToSign);
  expect(await cut.log.readiness()).toMatch(/entries were cut off while this process ran: start it anew/);
  await expectCutForGood(cut);
});

test.each(["lost", "put back to before the cut"])(
  "nor does it when the anchor that counted the cut was %s, and the database accepted",
  async (what) => {
    const cut = await cutWhileStopped();
    const { anchor, next, world } = cut;
    anchor.says = what === "lost" ? undefined : cut.older;
    const signed = world.signer.signed.length;
    await acceptAnchor(next);
    cut.wake();
    expect(await cut.stopped).toBeInstanceOf(RefusedToSign);
    expect(world.signer.signed).toHaveLength(signed);
    expect(await cut.log.readiness()).toMatch(/start it anew/);
    await expectCutForGood(cut);
  },
);
