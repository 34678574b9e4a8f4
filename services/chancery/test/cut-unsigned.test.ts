import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgresLogStore } from "@chancery/log";
import { Database, runningEmbedded, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { commitUnsigned } from "./commit-unsigned.ts";
import { logEntry } from "./log-entry.ts";
import { startTestStack } from "./start-stack.ts";

async function chancery(...argv: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await run(argv, {}, terminal), out, err };
}

describe("chancery cut-unsigned", () => {
  let folder: string;
  let data: string;
  const keep = () => join(folder, "kept.jsonl");
  const cut = (...flags: string[]) => chancery("cut-unsigned", "--log", "rekor", "--data", data, ...flags);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "chancery-cut-"));
    data = join(folder, "data");
    await using stack = await startTestStack({ data });
    for (let at = 0; at < 5; at++) expect(await logEntry(stack.url, `artifact ${at}`)).toBe(201);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("of a log that is whole cuts nothing", async () => {
    const { code, out, err } = await cut("--keep", keep());
    expect([code, out, err]).toEqual([1, "", expect.stringContaining("nothing is damaged")]);
    await expect(stat(keep())).rejects.toThrow("ENOENT");
  });

  test("cuts damaged entries that nobody signed, keeps their rows, and the log goes on", async () => {
    {
      await using server = await startEmbedded({ directory: join(data, "postgres") });
      await using db = await Database.open(server.url, { max: 1 });
      await commitUnsigned(await PostgresLogStore.open(db), 3);
      await db.transaction(async (tx) => {
        await tx.query("SET LOCAL session_replication_role = replica");
        await tx.query("UPDATE log.entry SET leaf = '{}' WHERE index = 6");
      });
    }
    {
      await using stack = await startTestStack({ data });
      const answer = await fetch(`${stack.url}/readyz`);
      expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("entries 5 to 7")]);
      expect(await logEntry(stack.url, "artifact 5")).toBe(503);
      expect(await cut()).toMatchObject({ code: 2, err: expect.stringContaining("stop it first") });
    }
    const told = await cut();
    expect([told.code, told.err]).toEqual([0, ""]);
    expect(told.out).toMatch(/its entries do not hash to its root\n {2}signed {5}5 entries/);
    expect(told.out).toMatch(/to be cut {2}entries 5 to 7, which nobody signed\n +3 of log.entry\n +3 of log.identity/);
    expect(told.out).toContain("nothing is cut without --keep FILE");

    const { code, out, err } = await cut("--keep", keep());
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(`cut back to 5 entries; the rows are in ${keep()}`);
    expect((await stat(keep())).mode & 0o777).toBe(0o600);
    const rows = (await readFile(keep(), "utf8")).trimEnd().split("\n");
    expect(rows.filter((row) => JSON.parse(row).table === "log.entry")).toHaveLength(3);

    const checked = await chancery("fsck", "--data", data);
    expect([checked.code, checked.out]).toEqual([0, expect.stringContaining("rekor: clean: 5 entries")]);
    await using stack = await startTestStack({ data });
    expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
    expect(await logEntry(stack.url, "artifact 5")).toBe(201);
    expect(await runningEmbedded(join(data, "postgres"))).toBeDefined();
    expect((await chancery("fsck", "--data", data)).out).toContain("rekor: clean: 6 entries");
  });
});
