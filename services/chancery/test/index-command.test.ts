import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Database, runningEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { logEntry } from "./log-entry.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

async function index(...flags: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await run(["index", ...flags], {}, terminal);
  return { code, out, err };
}

/** As whoever owns the machine could, with no trigger in the way. */
async function tamper(db: Database, sql: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query(sql);
  });
}

describe("chancery index, while chancery runs", () => {
  let running: TestStack;
  beforeAll(async () => {
    running = await startTestStack();
    expect(await logEntry(running.url, "artifact")).toBe(201);
  });
  afterAll(() => running?.[Symbol.asyncDispose]());

  const data = () => ["--data", running.data];
  const told = () => `chancery: reads the installation in ${running.data}\n`;

  test("says that all is well, in words and as JSON", async () => {
    expect(await index("verify", ...data())).toEqual({
      code: 0,
      out: "rekor: all keys are those of the entries (size 1)\nrekor-v2: all keys are those of the entries (size 0)\n",
      err: told(),
    });
    const { code, out } = await index("verify", "--json", "--log", "rekor", ...data());
    expect([code, JSON.parse(out)]).toEqual([
      0,
      { log: "rekor", result: "well", size: "1", unindexed: "0", differences: [] },
    ]);
  });

  test("names what is missing, mends it, and is well again", async () => {
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    await db.query("ALTER TABLE log.search DISABLE TRIGGER append_only");
    await db.query("UPDATE log.search SET key1 = NULL");
    await db.query("ALTER TABLE log.search ENABLE TRIGGER append_only");
    await db.close();
    const digest = `sha256:${createHash("sha256").update("artifact").digest("hex")}`;
    const key = createHash("sha256").update(digest).digest("hex").slice(0, 32);
    expect(await index("verify", "--log", "rekor", ...data())).toMatchObject({
      code: 1,
      out: `rekor: DIFFERENT (size 1)\n  entry 0: its key key1 ${key} ("${digest}") is missing\n`,
    });
    expect(await index("rebuild", "--log", "rekor", ...data())).toMatchObject({
      code: 0,
      out: "rekor: every entry is found (size 1); of 1 something was missing\n",
    });
    expect(await index("verify", ...data())).toMatchObject({ code: 0 });
  });

  test("tells an entry that was changed from rows that were, and builds none from it", async () => {
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    // A body that can be read as well as the true one: another digit in the artifact's digest.
    const flip = `UPDATE log.entry SET leaf = set_byte(leaf, at.place, CASE get_byte(leaf, at.place) WHEN 48 THEN 49 ELSE 48 END)
      FROM (SELECT position('"value":"'::bytea IN leaf) + 8 AS place FROM log.entry WHERE log = 1 AND index = 0) AS at
      WHERE log = 1 AND index = 0`;
    await tamper(db, "CREATE TABLE kept AS SELECT * FROM log.entry WHERE log = 1 AND index = 0");
    await tamper(db, flip);
    const damage =
      "  entry 0 is damaged: it is not the one in the tree; mend it first, its search rows were not judged\n";
    const verified = await index("verify", "--log", "rekor", ...data());
    expect(verified).toMatchObject({ code: 1, err: told() });
    expect(verified.out.startsWith(`rekor: DIFFERENT (size 1)\n${damage}`)).toBe(true);
    expect(verified.out).not.toContain("its key");
    expect(verified.out).toContain("delete no search row of these entries before");
    expect(JSON.parse((await index("verify", "--json", "--log", "rekor", ...data())).out)).toEqual({
      log: "rekor",
      result: "different",
      size: "1",
      unindexed: "0",
      differences: [],
      damagedEntries: "1",
      damaged: [{ first: "0", end: "1", exact: true }],
    });
    await tamper(db, "DELETE FROM log.search WHERE place = 1::bigint << 40");
    const rebuilt = await index("rebuild", "--log", "rekor", ...data());
    expect(rebuilt).toMatchObject({ code: 1, err: told() });
    expect(
      rebuilt.out.startsWith(`rekor: NOT REBUILT for damaged entries (size 1); of 0 something was missing\n${damage}`),
    ).toBe(true);
    expect(await db.query("SELECT * FROM log.search WHERE place = 1::bigint << 40")).toEqual([]);
    await tamper(db, "DELETE FROM log.entry WHERE log = 1 AND index = 0");
    await tamper(db, "INSERT INTO log.entry SELECT * FROM kept");
    expect(await index("rebuild", "--log", "rekor", ...data())).toMatchObject({ code: 0 });
    expect(await index("verify", ...data())).toMatchObject({ code: 0 });
    await db.close();
  });

  test("takes the root that the log's key signed, and not the one that stands in a column", async () => {
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    await tamper(db, "CREATE TABLE kept_published AS SELECT * FROM log.published WHERE log = 1");
    await tamper(db, "UPDATE log.published SET root = sha256('another') WHERE log = 1");
    expect(await index("verify", "--log", "rekor", ...data())).toMatchObject({ code: 0 });
    await tamper(db, "UPDATE log.published SET note = set_byte(note, 60, get_byte(note, 60) # 1) WHERE log = 1");
    expect(await index("verify", "--log", "rekor", ...data())).toMatchObject({
      code: 2,
      err: expect.stringContaining("what stands in log.published of rekor is not signed by the key in it"),
    });
    await tamper(db, "DELETE FROM log.published WHERE log = 1");
    await tamper(db, "INSERT INTO log.published SELECT * FROM kept_published");
    expect(await index("verify", ...data())).toMatchObject({ code: 0 });
    await db.close();
  });

  test("verifies nothing up to an older checkpoint that was put back, or to none: what is hidden lies behind it", async () => {
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    await tamper(db, "CREATE TABLE kept_older AS SELECT * FROM log.published WHERE log = 1");
    expect(await logEntry(running.url, "hidden")).toBe(201);
    await tamper(db, "CREATE TABLE kept_newest AS SELECT * FROM log.published WHERE log = 1");
    await tamper(db, "CREATE TABLE kept_search AS SELECT * FROM log.search WHERE place = (1::bigint << 40) + 1");
    await tamper(db, "DELETE FROM log.search WHERE place = (1::bigint << 40) + 1");
    await tamper(db, "DELETE FROM log.published WHERE log = 1");
    await tamper(db, "INSERT INTO log.published SELECT * FROM kept_older");
    const anchored = `its anchor in ${join(running.data, "anchor", "rekor")} knows of size 2: nothing was verified`;
    expect(await index("verify", "--log", "rekor", ...data())).toEqual({
      code: 2,
      out: "",
      err: expect.stringContaining(`log.published has rekor at size 1, and ${anchored}`),
    });
    await tamper(db, "DELETE FROM log.published WHERE log = 1");
    expect(await index("rebuild", "--log", "rekor", ...data())).toEqual({
      code: 2,
      out: "",
      err: expect.stringContaining(`log.published has no row of rekor, and ${anchored}`),
    });
    await tamper(db, "INSERT INTO log.published SELECT * FROM kept_newest");
    expect((await index("verify", "--log", "rekor", ...data())).out).toMatch(
      /^rekor: DIFFERENT \(size 2\)\n {2}entry 1: /,
    );
    await tamper(db, "INSERT INTO log.search SELECT * FROM kept_search");
    expect(await index("verify", ...data())).toMatchObject({ code: 0 });
    await db.close();
  }, 60_000);

  test("waits for the moment between the anchor and what is published", async () => {
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    await tamper(db, "CREATE TABLE kept_moment AS SELECT * FROM log.published WHERE log = 1");
    await tamper(db, "DELETE FROM log.published WHERE log = 1");
    const later = delay(1_000).then(() => tamper(db, "INSERT INTO log.published SELECT * FROM kept_moment"));
    expect(await index("verify", "--log", "rekor", ...data())).toMatchObject({ code: 0, err: told() });
    await later;
    await db.close();
  });

  test("of a database alone says that the size is its own word, and holds it against an anchor that is given", async () => {
    const url = (await runningEmbedded(join(running.data, "postgres")))!;
    const alone = ["--log", "rekor", "--data", join(running.data, "none"), "--database-url", url];
    const { code, out } = await index("verify", ...alone);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^rekor: all keys are those of the entries \(size 2\)\n {2}note: that size is the database's own word: /,
      ),
    ]);
    expect(JSON.parse((await index("verify", "--json", ...alone)).out)).toMatchObject({
      size: "2",
      notes: [expect.stringContaining("the database's own word")],
    });
    expect(await index("verify", ...alone, "--anchor", join(running.data, "anchor"))).toEqual({
      code: 0,
      out: "rekor: all keys are those of the entries (size 2)\n",
      err: expect.stringMatching(/^chancery: reads the database at [^@]+\/chancery\n$/),
    });
    expect(await index("verify", ...alone, "--anchor", join(running.data, "nowhere"))).toMatchObject({
      code: 2,
      err: expect.stringContaining("holds no anchor of rekor"),
    });
  });

  test("does not go without the anchor of an installation", async () => {
    const elsewhere = ["--anchor", join(running.data, "none")];
    expect(await index("verify", "--log", "rekor", ...data(), ...elsewhere)).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining("holds no anchor of rekor"),
    });
  });

  test("explains itself, and refuses what there is not", async () => {
    expect(await index("--help")).toMatchObject({ code: 0, out: expect.stringContaining("usage: chancery index") });
    expect(await index("verify", "--help")).toMatchObject({ code: 0 });
    expect(await index()).toMatchObject({ code: 2, out: expect.stringContaining("usage: chancery index") });
    expect(await index("destroy")).toMatchObject({ code: 2, err: expect.stringContaining("only rebuild and verify") });
    expect(await index("verify", "--log", "ctlog")).toMatchObject({ code: 2, err: expect.stringContaining("--log") });
  });
});
