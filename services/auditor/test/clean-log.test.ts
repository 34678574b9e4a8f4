import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DatabaseCheck } from "../src/index.ts";
import { differenceOf, type Server, startServer, type StoredWorld } from "./logs.ts";

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const tree = (column: string) => `UPDATE log.tree SET ${column} WHERE log = $1`;
const published = (column: string) => `UPDATE log.published SET ${column} WHERE log = $1`;

describe("what an operator takes CLEAN for", () => {
  let world: StoredWorld;
  beforeAll(async () => {
    world = await server.grow("text", [300]);
  });

  const damaged = (sql: string, kind: DatabaseCheck["kind"] = "rekor") =>
    world.checkDamaged([[sql, world.log]], { kind });

  test("says what was not checked, and who checks it", async () => {
    const { checked, unchecked, notes } = await world.check({ kind: "rekor" });
    expect(checked).toContain("that each entry has search keys");
    expect(unchecked.join("; ")).toMatch(/chancery index verify.*the auditor/);
    expect(notes).toEqual([]);
    expect((await world.check()).unchecked).toContain("search keys beyond that none is outside the tree");
  });

  test("an entry that no search finds, since its keys are gone, is a difference", async () => {
    const gone = await differenceOf(damaged("DELETE FROM log.search WHERE place = ($1::bigint << 40) + 77"));
    expect(gone).toMatchObject({ place: { kind: "search key", index: 77n }, expected: "some", found: "nothing" });
    const all = await differenceOf(damaged("DELETE FROM log.search WHERE place >> 40 = $1"));
    expect(all.place).toEqual({ kind: "search key", index: 0n });
  });

  test("entries of before an upgrade that are not indexed yet are told of, and are no difference", async () => {
    const clean = await world.checkDamaged(
      [
        ["DELETE FROM log.search WHERE place BETWEEN ($1::bigint << 40) AND ($1::bigint << 40) + 99", world.log],
        ["INSERT INTO log.search_gap (log, size) VALUES ($1, 100)", world.log],
      ],
      { kind: "rekor" },
    );
    expect(clean.notes).toEqual(["the first 100 entries are of before there was this search: chancery index rebuild"]);
  });

  test("a Rekor entry whose identity was exchanged in both tables alike is a difference", async () => {
    const difference = await differenceOf(
      world.checkDamaged(
        [
          ["UPDATE log.entry SET identity = sha256('x') WHERE log = $1 AND index = 9", world.log],
          ["UPDATE log.identity SET hash = sha256('x') WHERE log = $1 AND index = 9", world.log],
          [
            "INSERT INTO log.leaf_hash SELECT index, log, sha256('\\x00'::bytea || leaf) FROM log.entry WHERE log = $1 AND index = 9",
            world.log,
          ],
        ],
        { kind: "rekor" },
      ),
    );
    expect(difference.place).toEqual({ kind: "entry", index: 9n, field: "identity" });
  });

  test("a frozen log is said to be frozen", async () => {
    const later = "its anchor does not say so yet, which its next start completes";
    const frozen = await damaged(tree("frozen = true"));
    expect(frozen.notes).toEqual([`frozen: it takes no more entries, for ever; ${later}`]);
  });

  test("a tree or a checkpoint that was moved to eleven days from now is a difference", async () => {
    const later = "time = time + 950400000";
    expect((await differenceOf(damaged(tree(later)))).place).toEqual({ kind: "tree", field: "time" });
    expect(await differenceOf(damaged(published(later)))).toMatchObject({
      place: { kind: "checkpoint", field: "time" },
      expected: expect.stringMatching(/^at most \d+, as the anchor says$/),
    });
  });

  test("times that are all of next week are noted, since the log stands still until then", async () => {
    const clean = await world.checkDamaged(
      [
        ["UPDATE log.entry SET time = time + 950400000 WHERE log = $1", world.log],
        [tree("time = time + 950400000"), world.log],
        [published("time = time + 950400000"), world.log],
      ],
      { kind: "rekor", anchor: undefined },
    );
    expect(clean.notes).toEqual([expect.stringMatching(/^its newest time, .*, is not yet/)]);
  });

  test("times of 1970 are a difference, those of before the log's own tables are noted", async () => {
    const zero = await differenceOf(damaged("UPDATE log.entry SET time = 0 WHERE log = $1"));
    expect(zero.place).toEqual({ kind: "entry", index: 0n, field: "time" });
    const earlier = await damaged("UPDATE log.entry SET time = time - 950400000 WHERE log = $1 AND index = 0");
    expect(earlier.notes).toEqual([
      expect.stringMatching(/^its first entry has the time .*, and its tables were made at/),
    ]);
  });

  test("a table that lost its trigger is noted", async () => {
    const clean = await world.checkDamaged([], { kind: "rekor" }, "ALTER TABLE log.tile DISABLE TRIGGER append_only");
    expect(clean.notes).toEqual([expect.stringMatching(/^log\.tile is not append-only/)]);
  });
});
