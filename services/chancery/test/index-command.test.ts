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

  test("explains itself, and refuses what there is not", async () => {
    expect(await index("--help")).toMatchObject({ code: 0, out: expect.stringContaining("usage: chancery index") });
    expect(await index("verify", "--help")).toMatchObject({ code: 0 });
    expect(await index()).toMatchObject({ code: 2, out: expect.stringContaining("usage: chancery index") });
    expect(await index("destroy")).toMatchObject({ code: 2, err: expect.stringContaining("only rebuild and verify") });
    expect(await index("verify", "--log", "ctlog")).toMatchObject({ code: 2, err: expect.stringContaining("--log") });
  });
});
