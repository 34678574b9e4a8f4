import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileAnchor, PostgresLogStore } from "@chancery/log";
import { Database, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { commitUnsigned } from "./commit-unsigned.ts";
import { logEntry } from "./log-entry.ts";
import { startTestStack } from "./start-stack.ts";

/** The v1 log as two trees: two entries in the frozen one, and from the index 2 on those of the one that grows. */
let data: string;
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "chancery-shard-repair-"));
  {
    await using stack = await startTestStack({ data });
    for (const text of ["one", "two"]) expect(await logEntry(stack.url, text)).toBe(201);
  }
  expect(await chancery("shard", "--log", "rekor", "--for-ever")).toMatchObject({ code: 0, err: "" });
  await using stack = await startTestStack({ data });
  for (const text of ["three", "four", "five"]) expect(await logEntry(stack.url, text)).toBe(201);
});
afterAll(() => rm(data, { recursive: true, force: true }));

async function chancery(...argv: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await run([...argv, "--data", data], {}, terminal), out, err };
}

async function onDatabase(work: (db: Database) => Promise<void>): Promise<void> {
  await using server = await startEmbedded({ directory: join(data, "postgres") });
  await using db = await Database.open(server.url, { max: 1 });
  await work(db);
}

const tampered = (sql: string) => (db: Database) =>
  db.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query(sql);
  });

async function expectRefused(reason: string): Promise<void> {
  await using stack = await startTestStack({ data });
  const ready = await fetch(`${stack.url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining(reason)]);
  expect(await logEntry(stack.url, "refused")).toBe(503);
}

/** Both trees are whole, and the next entry has the index that comes next over both. */
async function expectGoesOn(text: string, index: number): Promise<void> {
  {
    await using stack = await startTestStack({ data });
    expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
    expect(await logEntry(stack.url, text)).toBe(201);
    expect((await fetch(`${stack.url}/api/v1/log/entries?logIndex=${index}`)).status).toBe(200);
    expect((await fetch(`${stack.url}/api/v1/log/entries?logIndex=${index + 1}`)).status).toBe(404);
  }
  const checked = await chancery("fsck", "--log", "rekor");
  expect([checked.code, checked.out.match(/^\S+: clean: \d+/gm)], checked.out).toEqual([
    0,
    ["rekor: clean: 2", `rekor-shard-2: clean: ${index - 1}`],
  ]);
}

test("index verify names what is missing of a shard, in that shard, and rebuild of it adds it there", async () => {
  const second = "(SELECT id FROM log.log WHERE name = 'rekor-shard-2')";
  await onDatabase(tampered(`UPDATE log.search SET key1 = NULL WHERE place = ${second}::bigint << 40 | 1`));
  const one = await chancery("index", "verify", "--log", "rekor-shard-2");
  expect([one.code, one.out]).toEqual([
    1,
    expect.stringMatching(
      /^rekor-shard-2: DIFFERENT \(size 3\)\n {2}entry 1: its key key1 [0-9a-f]{32} \("sha256:[0-9a-f]{64}"\) is missing\n$/,
    ),
  ]);
  const all = await chancery("index", "verify", "--log", "rekor", "--json");
  expect(all.code).toBe(1);
  expect(
    all.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { log: "rekor", result: "well" },
    { log: "rekor-shard-2", result: "different", differences: [{ index: "1" }] },
  ]);
  expect(await chancery("index", "rebuild", "--log", "rekor-shard-2")).toMatchObject({
    code: 0,
    out: "rekor-shard-2: every entry is found (size 3); of 1 something was missing\n",
  });
  expect(await chancery("index", "rebuild", "--log", "rekor")).toMatchObject({
    code: 0,
    out: "rekor: every entry is found (size 2); of 0 something was missing\nrekor-shard-2: every entry is found (size 3); of 0 something was missing\n",
  });
  expect((await chancery("index", "verify", "--log", "rekor")).code).toBe(0);
});

test("a lost anchor of the shard that grows is accepted, and indexes go on", async () => {
  await rm(join(data, "anchor", "rekor-shard-2"), { recursive: true });
  await expectRefused("accept-anchor --log rekor-shard-2");
  const { code, out, err } = await chancery("accept-anchor", "--log", "rekor-shard-2");
  expect([code, err, out]).toEqual([
    0,
    "",
    expect.stringMatching(/before {2}none\n {2}after {3}size 3, root [0-9a-f]{64}\n$/),
  ]);
  await expectGoesOn("six", 5);
});

test("a lost anchor of a frozen shard is accepted as frozen, and not with a database that takes entries again", async () => {
  await rm(join(data, "anchor", "rekor"), { recursive: true });
  await expectRefused("accept-anchor --log rekor)");
  expect(await chancery("accept-anchor", "--log", "rekor")).toMatchObject({ code: 0, err: "" });
  const anchored = () => FileAnchor.open(join(data, "anchor"), "rekor").then((anchor) => anchor.read());
  expect(await anchored()).toMatchObject({ size: 2n, frozen: true });
  await onDatabase(
    tampered("UPDATE log.tree SET frozen = false WHERE log = (SELECT id FROM log.log WHERE name = 'rekor')"),
  );
  await expectRefused("log rekor: it was frozen for ever, and its database says that it takes entries again");
  const accepted = await chancery("accept-anchor", "--log", "rekor");
  expect([accepted.code, accepted.err]).toEqual([1, expect.stringContaining("it was frozen for ever")]);
  const again = await chancery("freeze", "--log", "rekor", "--for-ever");
  expect([again.code, again.out]).toEqual([0, "rekor: frozen once more, with 2 entries\n"]);
  await expectGoesOn("seven", 6);
});

test("what was committed to a shard, never signed, and damaged is cut off that shard alone", async () => {
  const keep = join(data, "kept.jsonl");
  await onDatabase(async (db) => {
    await commitUnsigned(await PostgresLogStore.open(db), 3, "rekor-shard-2");
    await tampered(
      "UPDATE log.entry SET leaf = '{}' WHERE index = 6 AND log = (SELECT id FROM log.log WHERE name = 'rekor-shard-2')",
    )(db);
  });
  await expectRefused("log rekor-shard-2: entries 5 to 7, committed and not signed, are not as they were committed");
  const whole = await chancery("cut-unsigned", "--log", "rekor", "--keep", keep);
  expect([whole.code, whole.err]).toEqual([1, expect.stringContaining("log rekor: nothing is damaged")]);
  const { code, out, err } = await chancery("cut-unsigned", "--log", "rekor-shard-2", "--keep", keep);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/signed {5}5 entries, says the anchor in .*rekor-shard-2;/);
  expect(out).toContain("rekor-shard-2: cut back to 5 entries");
  const rows = (await readFile(keep, "utf8"))
    .trim()
    .split("\n")
    .map((row) => JSON.parse(row));
  expect(rows.filter(({ table }) => table === "log.entry").map(({ row }) => row.index)).toEqual([5, 6, 7]);
  await expectGoesOn("eight", 7);
  expect(await readdir(join(data, "anchor"))).toEqual(expect.arrayContaining(["rekor", "rekor-shard-2"]));
});
