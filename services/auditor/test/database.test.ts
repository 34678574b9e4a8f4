import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ephemeralSigner, sha256 } from "@chancery/crypto";
import { utf8 } from "@chancery/encoding";
import { Unavailable } from "@chancery/fault";
import { leafHash } from "@chancery/tlog";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Difference, type Place } from "../src/index.ts";
import { differenceOf, headSigner, newEntry, type Server, startServer, type StoredWorld } from "./logs.ts";

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const tree = (column: string) => `UPDATE log.tree SET ${column} WHERE log = $1`;
const published = (column: string) => `UPDATE log.published SET ${column} WHERE log = $1`;
const place = (field: string) => ({ place: { kind: "checkpoint", field } satisfies Place });

const FLIP = (column: string, at: number | string = 0) => `set_byte(${column}, ${at}, get_byte(${column}, ${at}) # 1)`;

describe("a log as the engine left it is clean", () => {
  test.for([
    [0, []],
    [1, [1]],
    [255, [255]],
    [256, [255, 1]],
    [257, [100, 156, 1]],
    [1300, [1, 2, 3, 500, 794]],
  ] as [number, number[]][])("a Rekor log of %i entries", async ([size, batches]) => {
    const world = await server.grow("text", batches);
    const clean = await world.check();
    expect(clean.size).toBe(BigInt(size));
  });

  test("a CT log, whose entries are found by two hashes", async () => {
    const world = await server.grow("tree head", [5, 300, 212]);
    await expect(world.check()).resolves.toMatchObject({ size: 517n });
  });

  test("a log that grows while it is read", async () => {
    const world = await server.grow("tree head", [300]);
    const log = await world.open();
    const growing = new AbortController();
    const grown = (async () => {
      for (let name = 1000; !growing.signal.aborted; name += 5) {
        await Promise.all(Array.from({ length: 5 }, (_, at) => log.append(newEntry("tree head", name + at))));
      }
    })();
    let last = 0n;
    for (let round = 0; round < 12; round++) {
      const { size } = await world.check();
      expect(size).toBeGreaterThanOrEqual(last);
      last = size;
    }
    growing.abort();
    await grown;
    await log.close();
    expect(last).toBeGreaterThan(300n);
  });

  test("progress is told up to the last entry, and without an anchor the rest is checked", async () => {
    const world = await server.grow("text", [600]);
    const told: [string, bigint, bigint][] = [];
    await world.check({ anchor: undefined, progress: (...step) => told.push(step) });
    expect(told.findLast(([step]) => step === "entries")).toEqual(["entries", 600n, 600n]);
    expect(new Set(told.map(([step]) => step))).toEqual(new Set(["entries", "identities", "search keys"]));
  });
});

describe.for(["text", "tree head"] as const)("one flipped bit is found where it is (%s)", (signs) => {
  let world: StoredWorld;
  let log: number;
  const SIZE = 1300;
  beforeAll(async () => {
    world = await server.grow(signs, [1, 2, 3, 500, 794]);
    ({ log } = world);
  });

  async function found(sql: string, ...params: unknown[]): Promise<Difference> {
    return differenceOf(world.checkDamaged([[sql, ...params]]));
  }

  const leafHashOf = async (index: number) => {
    const [row] = await world.db.query<{ leaf: Uint8Array }>(
      "SELECT leaf FROM log.entry WHERE log = $1 AND index = $2",
      [log, index],
    );
    return Buffer.from(leafHash(row!.leaf)).toString("hex");
  };

  // In full tiles, at their edges, and in the last one, which has no tile above it.
  test.for([0, 255, 256, 777, 1279, 1280, 1299])("in the leaf of entry %i", async (index) => {
    const difference = await found(
      `UPDATE log.entry SET leaf = ${FLIP("leaf", 3)} WHERE log = $1 AND index = $2`,
      log,
      index,
    );
    expect(difference.place).toEqual({ kind: "entry", index: BigInt(index), field: "leaf" });
    expect(difference.expected).toBe(await leafHashOf(index));
  });

  test.for([
    [0, 0],
    [0, 255],
    [1, 0],
    [4, 255],
    [5, 0],
    [5, 19],
  ])("in level-0 tile %i, hash %i", async ([tile = 0, offset = 0]) => {
    const difference = await found(
      `UPDATE log.tile SET hashes = ${FLIP("hashes", "($3 - start) * 32 + 31")}
       WHERE log = $1 AND level = 0 AND index = $2 AND start <= $3 AND start + length(hashes) / 32 > $3`,
      log,
      tile,
      offset,
    );
    expect(difference.place).toEqual({ kind: "tile", level: 0, index: BigInt(tile), offset });
    expect(difference.expected).toBe(await leafHashOf(tile * 256 + offset));
    expect(difference.found).not.toBe(difference.expected);
  });

  test("in a tile of level 1", async () => {
    const difference = await found(
      `UPDATE log.tile SET hashes = ${FLIP("hashes")} WHERE log = $1 AND level = 1 AND start = 0`,
      log,
    );
    expect(difference.place).toEqual({ kind: "tile", level: 1, index: 0n, offset: 0 });
  });

  test.for([0, 700, 1299])("in the identity row of entry %i", async (index) => {
    const difference = await found(
      `UPDATE log.identity SET hash = ${FLIP("hash", 31)} WHERE log = $1 AND index = $2`,
      log,
      index,
    );
    expect(difference.place).toEqual({ kind: "identity", index: BigInt(index) });
    const identity = Buffer.from(newEntry(signs, 0).identity).toString("hex");
    if (index === 0) expect(difference.expected).toBe(identity);
  });

  test("in the identity row's index", async () => {
    const difference = await found(`UPDATE log.identity SET index = index # 1 WHERE log = $1 AND index = 42`, log);
    expect(difference.place).toEqual({ kind: "identity", index: 42n });
    expect(difference.found).toBe("that hash for entry 43");
  });

  test("in the tree's root, edge, size and time", async () => {
    expect(await found(tree(`root = ${FLIP("root")}`), log)).toMatchObject({
      place: { kind: "tree", field: `root at size ${SIZE}` },
    });
    expect(await found(tree(`edge = ${FLIP("edge", 70)}`), log)).toMatchObject({
      place: { kind: "tree", field: "edge" },
    });
    expect(await found(tree("size = size # 1"), log)).toMatchObject({ place: { kind: "entry", index: 1300n } });
    expect(await found(tree("size = size # 4"), log)).toMatchObject({
      place: { kind: "anchor", field: "size" },
      expected: "at most 1296, as the database says",
      meaning: expect.stringMatching(
        /^the database is older .* leave the anchor as it is, and bring the newer database back$/,
      ),
    });
    expect(await found(tree("time = time - 10000000"), log)).toMatchObject({ place: { kind: "tree", field: "time" } });
  });

  test("in each byte of the published note", async () => {
    const [row] = await world.db.query<{ note: Uint8Array }>("SELECT note FROM log.published WHERE log = $1", [log]);
    for (let at = 0; at < row!.note.length; at += 7) {
      const difference = await found(`UPDATE log.published SET note = ${FLIP("note", at)} WHERE log = $1`, log);
      expect(difference.place.kind).toBe("checkpoint");
    }
  });

  test("in the published row's size and root, and when it is older than its entries", async () => {
    expect(await found(published("size = size # 1"), log)).toMatchObject(place("size"));
    expect(await found(published(`root = ${FLIP("root", 5)}`), log)).toMatchObject(place("root"));
    expect(await found(published("time = time - 10000000"), log)).toMatchObject(place("time"));
  });

  test("in the log's key and origin", async () => {
    expect(await found(`UPDATE log.log SET key_id = ${FLIP("key_id")} WHERE id = $1`, log)).toMatchObject({
      place: { kind: "log", field: "key" },
    });
    expect(await found("UPDATE log.log SET origin = origin || 'x' WHERE id = $1", log)).toMatchObject({
      place: { field: "origin" },
    });
  });

  test("in an entry's time", async () => {
    const difference = await found("UPDATE log.entry SET time = 1 WHERE log = $1 AND index = 700", log);
    expect(difference.place).toEqual({ kind: "entry", index: 700n, field: "time" });
  });

  test("an entry that is gone, in the middle and at the end", async () => {
    for (const index of [0, 511, 512, 1000, 1299]) {
      const difference = await found("DELETE FROM log.entry WHERE log = $1 AND index = $2", log, index);
      expect(difference.place).toEqual({ kind: "entry", index: BigInt(index), field: "leaf" });
      expect(difference.found).toBe("nothing");
    }
  });

  test("two entries that were swapped", async () => {
    const difference = await found(
      `UPDATE log.entry e SET leaf = o.leaf, time = o.time FROM log.entry o
       WHERE e.log = $1 AND o.log = $1 AND e.index IN (900, 901) AND o.index = 1801 - e.index`,
      log,
    );
    expect(difference.place).toEqual({ more: 1, kind: "entry", index: 900n, field: "leaf" });
    expect(difference).toMatchObject({ expected: await leafHashOf(900), found: await leafHashOf(901) });
  });

  test("two identities that were swapped", async () => {
    const difference = await differenceOf(
      world.checkDamaged([
        ["UPDATE log.identity SET index = 1201 - index WHERE log = $1 AND index IN (600, 601)", log],
      ]),
    );
    expect(difference.place).toEqual({ kind: "identity", index: 600n });
  });

  test("an identity that is gone, and one too many", async () => {
    const gone = await found("DELETE FROM log.identity WHERE log = $1 AND index = 5", log);
    expect(gone).toMatchObject({ place: { kind: "identity", index: 5n }, found: "nothing" });
    const insert = `INSERT INTO log.identity (log, index, hash) VALUES ($1, $2, sha256('x'))`;
    expect((await found(insert, log, 7)).place).toEqual({ kind: "identity", index: 7n });
    expect((await found(insert, log, SIZE)).place).toEqual({ kind: "identity", index: 1300n });
    expect((await found(insert, log, -1)).place).toEqual({ kind: "identity", index: -1n });
  });

  test("tile rows too many, missing, too long and too short", async () => {
    const insert = "INSERT INTO log.tile (log, level, index, start, hashes) VALUES ($1, $2, $3, $4, sha256('x'))";
    for (const [level, index, start] of [
      [0, 5, 20],
      [0, 6, 0],
      [1, 0, 5],
      [2, 0, 0],
      [7, 9, 1],
      [9, 0, 0],
    ] as const) {
      const difference = await found(insert, log, level, index, start);
      expect(difference.place).toEqual({ kind: "tile", level, index: BigInt(index), offset: start });
    }
    expect((await found(insert, log, 0, 3, 200)).place).toEqual({ kind: "tile", level: 0, index: 3n, offset: 200 });
    const gone = await found("DELETE FROM log.tile WHERE log = $1 AND level = 1", log);
    expect(gone.place).toEqual({ more: 4, kind: "tile", level: 1, index: 0n, offset: 0 });
    const last = "WHERE log = $1 AND level = 0 AND index = 5";
    expect((await found(`UPDATE log.tile SET hashes = hashes || sha256('x') ${last}`, log)).place).toMatchObject({
      kind: "tile",
      index: 5n,
    });
    const short = await found(`UPDATE log.tile SET hashes = substr(hashes, 1, length(hashes) - 32) ${last}`, log);
    expect(short).toMatchObject({ place: { kind: "tile", index: 5n, offset: 19 }, found: "nothing" });
  });

  test("an entry outside the tree", async () => {
    for (const index of [-1, SIZE, SIZE + 5]) {
      const difference = await found(
        "INSERT INTO log.entry (log, index, time, leaf) VALUES ($1, $2, 0, 'x')",
        log,
        index,
      );
      expect(difference.place).toEqual({ kind: "entry", index: BigInt(index), field: "leaf" });
    }
  });

  test("a search key of no entry", async () => {
    const difference = await found("INSERT INTO log.search (place, term0) VALUES (($1::bigint << 40) + 1300, 1)", log);
    expect(difference.place).toEqual({ kind: "search key", index: 1300n });
  });

  test("the checkpoint's row is gone", async () => {
    const difference = await found("DELETE FROM log.published WHERE log = $1", log);
    expect(difference).toMatchObject({ place: { kind: "checkpoint", field: "row" }, found: "nothing" });
  });

  test("after all of this the log is clean", async () => {
    await expect(world.check()).resolves.toMatchObject({ size: 1300n });
  });
});

describe("leaf hashes of a CT log", () => {
  let world: StoredWorld;
  beforeAll(async () => {
    world = await server.grow("tree head", [300]);
  });

  test("one that is wrong, gone, or of an entry that needs none", async () => {
    const { log } = world;
    const flipped = await differenceOf(
      world.checkDamaged([[`UPDATE log.leaf_hash SET hash = ${FLIP("hash")} WHERE log = $1 AND index = 299`, log]]),
    );
    expect(flipped.place).toEqual({ kind: "leaf hash", index: 299n });
    const gone = await differenceOf(
      world.checkDamaged([["DELETE FROM log.leaf_hash WHERE log = $1 AND index = 17", log]]),
    );
    expect(gone).toMatchObject({ place: { kind: "leaf hash", index: 17n }, found: "nothing" });
    const needless = await server.grow("text", [20]);
    const insert = "INSERT INTO log.leaf_hash (log, index, hash) VALUES ($1, 4, sha256('x'))";
    const extra = await differenceOf(needless.checkDamaged([[insert, needless.log]]));
    expect(extra).toMatchObject({ place: { kind: "leaf hash", index: 4n }, expected: "nothing" });
  });
});

test("a leaf that a batch was given twice, under two identities, is found by its hash once, and the log is clean", async () => {
  const world = await server.grow("tree head", [3]);
  const log = await world.open();
  // As a precertificate and its twin with n - s for s in its signature: to be logged they are one leaf.
  const entry = newEntry("tree head", 9);
  const twin = Object.assign(newEntry("tree head", 9), { identity: sha256(utf8("n - s")) });
  const [one, other] = await Promise.all([log.append(entry), log.append(twin)]);
  expect(other.entry.leaf).toEqual(one.entry.leaf);
  await log.close();
  await expect(world.check()).resolves.toMatchObject({ size: 5n });
});

describe("published <= anchor <= database", () => {
  test("a database that was put back, also when it agrees with itself", async () => {
    const [older, newer] = [await server.grow("text", [200]), await server.grow("text", [201])];
    const difference = await differenceOf(older.check({ anchor: newer.anchor }));
    expect(difference.place).toEqual({ kind: "anchor", field: "key" });
  });

  test("an anchor behind the checkpoint, damaged, or gone", async () => {
    const world = await server.grow("text", [10, 10]);
    const files = (await readdir(world.anchor)).filter((name) => /^\d{16}$/.test(name)).sort();
    const newest = join(world.anchor, files.at(-1)!);
    const text = await readFile(newest, "utf8");
    await rm(newest);
    expect(await differenceOf(world.check())).toMatchObject({
      place: { kind: "checkpoint", field: "size" },
      expected: "at most 10, as the anchor says",
      meaning: expect.stringMatching(/^the anchor is older than what was published: bring the newer one back/),
    });
    await writeFile(newest, text.replace("size 20", "size 21"));
    expect(await differenceOf(world.check())).toMatchObject({
      place: { kind: "anchor" },
      meaning: expect.stringContaining("the anchor's newest file is damaged, not the log"),
    });
    await Promise.all((await readdir(world.anchor)).map((name) => rm(join(world.anchor, name))));
    expect(await differenceOf(world.check())).toMatchObject({
      place: { kind: "anchor" },
      found: "nothing",
      meaning: expect.stringContaining("no anchor of this log lies in this folder"),
    });
  });

  test("an anchor file that cannot be read is told at once, and is no difference", async () => {
    const world = await server.grow("text", [3]);
    // A read of a folder fails as one does on a broken disk, for root too.
    await mkdir(join(world.anchor, "9999999999999999"));
    const outcome = await world.check().catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Unavailable);
    expect(outcome).toMatchObject({ message: `the anchor in ${world.anchor} cannot be read` });
  });

  test("another key than the one it is to be checked with, and another origin", async () => {
    const world = await server.grow("text", [3]);
    const other = ephemeralSigner("ecdsa-p256");
    const difference = await differenceOf(world.check({ key: other.publicKey.keyObject }));
    expect(difference.place).toEqual({ kind: "log", field: "key" });
    const origin = headSigner("tree head", other).origin;
    expect((await differenceOf(world.check({ origin }))).place).toEqual({ kind: "log", field: "origin" });
  });
});
