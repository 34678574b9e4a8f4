import { createHash } from "node:crypto";
import { encodeRfc3339, utf8 } from "@chancery/encoding";
import { Unavailable } from "@chancery/fault";
import { MissingRows } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { expect, test } from "vitest";
import { entryAt, type ProvenLog } from "../src/domain/stored-proof.ts";
import { testDatabases } from "./postgres.ts";
import { hashedrekord } from "./proposals.ts";
import { newSearchKeys, startSearch } from "./running-search.ts";

const database = testDatabases();
const COUNT = 6;
const CHANGED = 2;
const SECOND = 1_000;

/** Entries in the v1 log, one row changed as the database's owner can, and a process that read none of them before. */
async function changedBy(change: (db: Database, ids: readonly string[]) => Promise<unknown>) {
  const place = await database();
  const keys = newSearchKeys();
  const ids: string[] = [];
  {
    await using first = await startSearch(await place.store(), keys);
    for (let made = 0; made < COUNT; made++) {
      ids.push(await first.logged(await hashedrekord({ artifact: utf8(`artifact ${made}`) })));
      first.clock.now += SECOND;
    }
  }
  for (const table of ["entry", "tile", "identity"])
    await place.db.query(`ALTER TABLE log.${table} DISABLE TRIGGER USER`);
  await change(place.db, ids);
  return { ids, rekor: await startSearch(await place.store(), keys) };
}

const LEAF = "UPDATE log.entry SET leaf = set_byte(leaf, 90, get_byte(leaf, 90) # 1) WHERE index = 2";
const UNREADABLE = "UPDATE log.entry SET leaf = 'no entry' WHERE index = 2";
const ROW = "DELETE FROM log.entry WHERE index = 2";
/** Of entry 3, which is hashed with that of entry 2. */
const HASH = "UPDATE log.tile SET hashes = set_byte(hashes, 7, get_byte(hashes, 7) # 1) WHERE level = 0 AND start = 3";

const NOT_IN_TREE = (ids: readonly string[]) =>
  `the stored entry 2 is not the one in its tree: the leaf hash there is ${ids[CHANGED]?.slice(16)}`;

test.each([
  ["a bit of its leaf", LEAF, NOT_IN_TREE],
  ["all of its leaf", UNREADABLE, NOT_IN_TREE],
  ["its row is gone", ROW, () => "log rekor: entry 2 was published and is not in the database"],
  ["a hash beside it", HASH, () => "the stored hashes by which entry 2 is proven do not lead to the signed root"],
])("an entry that was changed is told as changed, by whatever name it is asked for: %s", async (_what, sql, said) => {
  const { ids, rekor } = await changedBy((db) => db.query(sql));
  await using _ = rekor;
  const [id = "", message] = [ids[CHANGED], said(ids)];
  for (const name of [String(CHANGED), id, id.toUpperCase(), id.slice(16)]) {
    const { status, json } = await rekor.get(`/api/chancery/v1/entries/rekor/${name}`);
    expect([name, status, json]).toEqual([name, 503, { code: "damaged", message }]);
  }
  for (const path of [`?logIndex=${CHANGED}`, `/${id}`, `/${id.slice(16)}`]) {
    const { status, json } = await rekor.get(`/api/v1/log/entries${path}`);
    expect([path, status, json]).toEqual([path, 503, { code: 503, message }]);
  }
  expect((await rekor.get(`/api/chancery/v1/entries/rekor/${CHANGED + 1}`)).status).toBe(200);
  // The others are logged and read as before: nothing of this stops the log.
  expect(await rekor.logs.rekor.readiness()).toBeUndefined();
});

test("a row that leads to another entry answers with neither of the two", async () => {
  const { ids, rekor } = await changedBy((db, all) =>
    db.query("UPDATE log.identity SET index = 4 WHERE hash = decode($1, 'hex')", [all[CHANGED]?.slice(16)]),
  );
  await using _ = rekor;
  const message = "the database leads from the entry that was asked for to entry 4, which is another";
  for (const name of [ids[CHANGED] ?? "", ids[CHANGED]?.slice(16) ?? ""]) {
    const found = await rekor.get(`/api/chancery/v1/entries/rekor/${name}`);
    expect([found.status, found.json]).toEqual([503, { code: "damaged", message }]);
    expect((await rekor.get(`/api/v1/log/entries/${name}`)).json).toEqual({ code: 503, message });
  }
  expect((await rekor.get("/api/chancery/v1/entries/rekor/2")).status).toBe(200);
});

const BESIDE = "; what was logged before it is found with `order=oldest` or `to`, what after it with `from`";

test("a list in which an entry can no longer be read says so, and not that nobody answers", async () => {
  const { rekor } = await changedBy((db) => db.query(UNREADABLE));
  await using _ = rekor;
  const { status, json } = await rekor.get("/api/chancery/v1/search");
  expect([status, json]).toEqual([
    503,
    { code: "damaged", message: `log rekor: the stored entry 2 cannot be read${BESIDE}` },
  ]);
});

test("a search leaves out no entry whose row was taken away, and calls itself complete", async () => {
  const { rekor } = await changedBy((db) => db.query(ROW));
  await using _ = rekor;
  const message = `log rekor: entry 2 was published and is not in the database${BESIDE}`;
  for (const query of ["", "?kind=hashedrekord", "?order=oldest"]) {
    const { status, json } = await rekor.get(`/api/chancery/v1/search${query}`);
    expect([query, status, json]).toEqual([query, 503, { code: "damaged", message }]);
  }
});

test.each([0, 1, 2, 3, 4, 5])(
  "what is not entry %i, whose row was taken away, is found as before, by any time",
  async (lost) => {
    const { rekor } = await changedBy((db) => db.query(`DELETE FROM log.entry WHERE index = ${lost}`));
    await using _ = rekor;
    const after = rekor.clock.now;
    const at = (index: number) => encodeRfc3339(after + index * SECOND);
    for (let index = 0; index < COUNT; index++) {
      if (index === lost) continue;
      const digest = createHash("sha256").update(`artifact ${index}`).digest("hex");
      expect(await rekor.found({ digest })).toEqual([`rekor/${index}`]);
      expect(await rekor.found({ from: at(index), to: at(index + 1), digest })).toEqual([`rekor/${index}`]);
    }
    const [before, behind] = [[0, 1, 2, 3, 4, 5].slice(0, lost), [0, 1, 2, 3, 4, 5].slice(lost + 1)];
    if (lost > 0) expect(await rekor.found({ order: "oldest", to: at(lost - 1) })).toEqual(named(before.slice(0, -1)));
    expect(await rekor.found({ order: "oldest", from: at(lost + 2) })).toEqual(named(behind.slice(1)));
    // It may be of this time, for all that is known: it is told, and not left out.
    for (const range of [`from=${at(lost)}&to=${at(lost + 1)}`, `from=${at(lost)}`, `to=${at(lost + 1)}`]) {
      expect((await rekor.get(`/api/chancery/v1/search?${range}`)).json).toMatchObject({ code: "damaged" });
    }
    expect((await rekor.get(`/api/chancery/v1/logs/rekor/growth?from=${at(0)}&interval=hour`)).status).toBe(200);
  },
);

test("what is missing while the whole database is an older one is not taken for a changed row", async () => {
  const missing = new MissingRows("entry 2 was published and is not in the database");
  const log: Pick<ProvenLog, "entry" | "readiness"> = {
    entry: () => Promise.reject(missing),
    readiness: async () => "its database is older than what was signed",
  };
  await expect(entryAt(log, 2n)).rejects.toBe(missing);
  await expect(entryAt({ ...log, readiness: async () => undefined }, 2n)).rejects.not.toBeInstanceOf(Unavailable);
});

function named(indexes: readonly number[]): string[] {
  return indexes.map((index) => `rekor/${index}`);
}
