import { createHash } from "node:crypto";
import { join } from "node:path";
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

  test("says that all is well, in words and as JSON", async () => {
    expect(await index("verify", ...data())).toEqual({
      code: 0,
      out: "rekor: all keys are those of the entries\nrekor-v2: all keys are those of the entries\n",
      err: "",
    });
    const { code, out } = await index("verify", "--json", "--log", "rekor", ...data());
    expect([code, JSON.parse(out)]).toEqual([0, { log: "rekor", result: "well", unindexed: "0", differences: [] }]);
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
      out: `rekor: DIFFERENT\n  entry 0: its key key1 ${key} ("${digest}") is missing\n`,
    });
    expect(await index("rebuild", "--log", "rekor", ...data())).toMatchObject({
      code: 0,
      out: "rekor: every entry is found; of 1 something was missing\n",
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
    expect(verified).toMatchObject({ code: 1, err: "" });
    expect(verified.out.startsWith(`rekor: DIFFERENT\n${damage}`)).toBe(true);
    expect(verified.out).not.toContain("its key");
    expect(verified.out).toContain("delete no search row of these entries before");
    expect(JSON.parse((await index("verify", "--json", "--log", "rekor", ...data())).out)).toEqual({
      log: "rekor",
      result: "different",
      unindexed: "0",
      differences: [],
      damagedEntries: "1",
      damaged: [{ first: "0", end: "1", exact: true }],
    });
    await tamper(db, "DELETE FROM log.search WHERE place = 1::bigint << 40");
    const rebuilt = await index("rebuild", "--log", "rekor", ...data());
    expect(rebuilt).toMatchObject({ code: 1, err: "" });
    expect(
      rebuilt.out.startsWith(`rekor: NOT REBUILT for damaged entries; of 0 something was missing\n${damage}`),
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

  test("explains itself, and refuses what there is not", async () => {
    expect(await index("--help")).toMatchObject({ code: 0, out: expect.stringContaining("usage: chancery index") });
    expect(await index("verify", "--help")).toMatchObject({ code: 0 });
    expect(await index()).toMatchObject({ code: 2, out: expect.stringContaining("usage: chancery index") });
    expect(await index("destroy")).toMatchObject({ code: 2, err: expect.stringContaining("only rebuild and verify") });
    expect(await index("verify", "--log", "ctlog")).toMatchObject({ code: 2, err: expect.stringContaining("--log") });
  });
});
