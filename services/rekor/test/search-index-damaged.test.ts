import { createHash } from "node:crypto";
import { Unavailable } from "@chancery/fault";
import { PostgresSearchIndex } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeDamage, PublishedTree, rebuildIndex, verifyIndex } from "../src/index.ts";
import { testDatabases } from "./postgres.ts";
import { aCertificate, anArtifact, hashedrekord } from "./proposals.ts";
import { type RunningSearch, startSearch } from "./running-search.ts";

const database = testDatabases();
const quiet = () => {};
/** A full lowest tile, and one that is not. */
const SIZE = 260;
const TABLES = ["entry", "identity", "search", "name", "tile", "tree", "published"];

let db: Database;
let rekor: RunningSearch;
/** What somebody writes in the place of an entry. */
let forged: Uint8Array;

beforeAll(async () => {
  const place = await database();
  ({ db } = place);
  rekor = await startSearch(await place.store());
  await fill(rekor, "someone@example.com", SIZE);
  await using other = await startSearch();
  await fill(other, "forger@example.com", 1);
  const [entry] = await other.logs.rekor.entries(0n, 1);
  forged = entry!.leaf;
  for (const table of TABLES) await db.query(`CREATE TABLE kept_${table} AS SELECT * FROM log.${table}`);
}, 120_000);
afterAll(() => rekor?.[Symbol.asyncDispose]());

beforeEach(async () => {
  for (const table of TABLES.toReversed()) await tamper(`DELETE FROM log.${table}`);
  for (const table of TABLES) await tamper(`INSERT INTO log.${table} SELECT * FROM kept_${table}`);
  await tamper("DELETE FROM log.search_rebuilt");
});

async function fill(to: RunningSearch, email: string, count: number): Promise<void> {
  const person = await aCertificate([{ type: "email", value: email }], { issuer: "https://issuer.example" });
  for (let made = 0; made < count; made += 20) {
    const some = Array.from({ length: Math.min(20, count - made) }, async () =>
      to.logged(await hashedrekord({ ...person, verifier: person.leaf, artifact: anArtifact() })),
    );
    await Promise.all(some);
  }
}

/** As whoever owns the machine could, with no trigger in the way. */
async function tamper(sql: string, ...params: unknown[]): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query(sql, params);
  });
}

const forgedHash = () => createHash("sha256").update(Uint8Array.of(0)).update(forged).digest();

const forgeBody = (index: number) =>
  tamper("UPDATE log.entry SET leaf = $2 WHERE log = 1 AND index = $1", index, forged);

async function forgeIdentity(index: number): Promise<void> {
  await tamper("UPDATE log.entry SET identity = $2 WHERE log = 1 AND index = $1", index, forgedHash());
  await tamper("UPDATE log.identity SET hash = $2 WHERE log = 1 AND index = $1", index, forgedHash());
}

async function forgeTile(index: number): Promise<void> {
  await tamper(
    `UPDATE log.tile SET hashes = overlay(hashes PLACING $2 FROM ($1 % 256 - start) * 32 + 1 FOR 32)
     WHERE log = 1 AND level = 0 AND index = $1 / 256 AND start <= $1 % 256 AND start + length(hashes) / 32 > $1 % 256`,
    index,
    forgedHash(),
  );
}

async function opened() {
  const index = (await PostgresSearchIndex.open(db, "rekor"))!;
  return { index, tree: new PublishedTree(index.reader, (await index.reader.published())!.head) };
}

async function verdict(): Promise<{ damaged: string[]; differences: string[] }> {
  const { index, tree } = await opened();
  const { damaged, differences } = await verifyIndex(index, tree, quiet);
  return {
    damaged: damaged.first.map(({ first, end, isExact }) => `${isExact ? "" : "one of "}${first}-${end - 1n}`),
    differences: differences.map(({ index: place, what }) => `${place ?? ""} ${what}`),
  };
}

const searchRows = () => db.query<{ row: string }>("SELECT s::text AS row FROM log.search s ORDER BY 1");

/** Not a row, and no word that all is found now. */
async function expectUnbuilt(damaged: bigint): Promise<void> {
  const before = await searchRows();
  const { index, tree } = await opened();
  const rebuilt = await rebuildIndex(index, tree, quiet);
  expect([rebuilt.added, rebuilt.damaged.count]).toEqual([0n, damaged]);
  expect(await searchRows()).toEqual(before);
  expect(await db.query("SELECT size FROM log.search_rebuilt")).toEqual([]);
}

const nothing = { damaged: [], differences: [] };

test("a log that nobody touched is well, and so is its rebuild", async () => {
  expect(await verdict()).toEqual(nothing);
  const { index, tree } = await opened();
  expect(await rebuildIndex(index, tree, quiet)).toMatchObject({ added: 0n, damaged: { count: 0n } });
});

describe.for([7, 255, 258])("entry %i that somebody changed made its good search rows wrong ones", (at) => {
  test("its body alone: the entry is told, its rows are not, and no row is built from it", async () => {
    await forgeBody(at);
    expect(await verdict()).toEqual({ damaged: [`${at}-${at}`], differences: [] });
    await expectUnbuilt(1n);
  });

  test("its body and the hash by which it is found", async () => {
    await forgeBody(at);
    await forgeIdentity(at);
    expect(await verdict()).toEqual({ damaged: [`${at}-${at}`], differences: [] });
    await expectUnbuilt(1n);
  });

  test("its body and its rows: what is forged is not taken for well", async () => {
    const { index, tree } = await opened();
    await forgeBody(at);
    await tamper("DELETE FROM log.search WHERE place = (1::bigint << 40) + $1", at);
    expect(await verdict()).toEqual({ damaged: [`${at}-${at}`], differences: [] });
    const rebuilt = await rebuildIndex(index, tree, quiet);
    expect([rebuilt.added, rebuilt.damaged.count]).toEqual([0n, 1n]);
    expect(await rekor.found({ san: "forger@example.com" })).toEqual([]);
  });

  test("it is gone", async () => {
    await tamper("DELETE FROM log.entry WHERE log = 1 AND index = $1", at);
    expect(await verdict()).toEqual({ damaged: [`${at}-${at}`], differences: [] });
    await expectUnbuilt(1n);
  });
});

test("a body that was changed with its hash and its tile: nothing says which entry of the tile it is", async () => {
  await forgeBody(7);
  await forgeIdentity(7);
  await forgeTile(7);
  expect(await verdict()).toEqual({ damaged: ["one of 0-255"], differences: [] });
  await expectUnbuilt(256n);
});

test("the same in the last tile leaves nothing that leads to the published root, and nothing is judged", async () => {
  await forgeBody(258);
  await forgeTile(258);
  expect(await verdict()).toEqual({ damaged: ["one of 0-255", "one of 256-259"], differences: [] });
  await expectUnbuilt(BigInt(SIZE));
});

test("the hash above the forged tile was changed as well: the published root says so", async () => {
  await forgeBody(7);
  await forgeTile(7);
  const tile = await db.query<{ hashes: Uint8Array }>(
    "SELECT hashes FROM log.tile WHERE log = 1 AND level = 0 AND index = 0 ORDER BY start",
  );
  let row = tile.flatMap(({ hashes }) =>
    Array.from({ length: hashes.length / 32 }, (_, i) => hashes.subarray(i * 32, i * 32 + 32)),
  );
  while (row.length > 1) {
    row = Array.from({ length: row.length / 2 }, (_, i) =>
      createHash("sha256")
        .update(Uint8Array.of(1))
        .update(row[2 * i]!)
        .update(row[2 * i + 1]!)
        .digest(),
    );
  }
  await tamper("UPDATE log.tile SET hashes = $1 WHERE log = 1 AND level = 1", row[0]);
  expect((await verdict()).damaged).toEqual(["one of 0-255", "one of 256-259"]);
  await expectUnbuilt(BigInt(SIZE));
});

test("a tile that was changed beside its entries is no damage of theirs", async () => {
  for (const at of [7, 258]) await forgeTile(at);
  expect(await verdict()).toEqual(nothing);
});

test("a database that does not answer in time has damaged nothing, though the last tile was", async () => {
  await forgeTile(258);
  const { index } = await opened();
  const { reader } = index;
  const late = new Unavailable("the database did not answer in time", 5);
  const hanging = { tiles: reader.tiles.bind(reader), leaves: () => Promise.reject(late) };
  const tree = new PublishedTree(hanging, (await reader.published())!.head);
  await expect(verifyIndex(index, tree, quiet)).rejects.toBe(late);
});

test("a search row that was changed is told beside an entry that was", async () => {
  await forgeBody(7);
  await tamper("UPDATE log.search SET key1 = NULL WHERE place = (1::bigint << 40) + 8");
  await tamper("UPDATE log.search SET key1 = NULL WHERE place = (1::bigint << 40) + 259");
  const { damaged, differences } = await verdict();
  expect(damaged).toEqual(["7-7"]);
  expect(differences).toEqual([
    expect.stringMatching(/^8 its key key1 .* is missing$/),
    expect.stringMatching(/^259 its key key1 .* is missing$/),
  ]);
  const { index, tree } = await opened();
  expect(await rebuildIndex(index, tree, quiet)).toMatchObject({ added: 2n, damaged: { count: 1n } });
  expect(await verdict()).toEqual({ damaged: ["7-7"], differences: [] });
  await tamper("DELETE FROM log.entry WHERE log = 1 AND index = 7");
  await tamper("INSERT INTO log.entry SELECT * FROM kept_entry WHERE log = 1 AND index = 7");
  expect(await verdict()).toEqual(nothing);
});

test("ten entries that were changed hide no search row behind them, and a name of theirs is no name of nobody's", async () => {
  for (let at = 0; at < 12; at++) await forgeBody(at);
  await tamper("DELETE FROM log.search WHERE place < (1::bigint << 40) + 12");
  await tamper("UPDATE log.search SET key1 = NULL WHERE place = (1::bigint << 40) + 200");
  const { damaged, differences } = await verdict();
  expect(damaged).toEqual(["0-11"]);
  expect(differences).toEqual([expect.stringMatching(/^200 its key key1 .* is missing$/)]);
});

test("damage is told in a sentence that says what comes first", () => {
  const told = [
    { first: 5n, end: 6n, isExact: true },
    { first: 5n, end: 8n, isExact: true },
    { first: 0n, end: 256n, isExact: false },
  ].map(describeDamage);
  expect(told).toEqual([
    "entry 5 is damaged: it is not the one in the tree; mend it first, its search rows were not judged",
    "entries 5 to 7 are damaged: they are not the ones in the tree; mend them first, their search rows were not judged",
    "of entries 0 to 255 one at least is damaged, or a hash tile above them: they are not what the tree commits to, and nothing says which; mend them first, their search rows were not judged",
  ]);
});
