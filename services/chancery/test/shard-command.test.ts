import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Auditor, settleable, settleAlarm } from "@chancery/auditor";
import { Database, runningEmbedded, startEmbedded } from "@chancery/postgres";
import { freePort } from "@chancery/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditIndex } from "../src/audited-index.ts";
import { places } from "../src/banner.ts";
import { run } from "../src/command-line.ts";
import { logEntry } from "./log-entry.ts";
import { startTestStack } from "./start-stack.ts";

let data: string;
let port: string;
beforeAll(async () => {
  port = String(await freePort());
  data = await mkdtemp(join(tmpdir(), "chancery-shard-"));
});
afterAll(() => rm(data, { recursive: true, force: true }));

async function command(...argv: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await run([...argv, "--data", data], {}, terminal), out, err };
}
const shard = (...argv: string[]) => command("shard", "--log", "rekor", ...argv);
const installation = async () => JSON.parse(await readFile(join(data, "installation.json"), "utf8"));

/** As root of the tables, who may drop the triggers. */
async function asOwner(sql: string): Promise<void> {
  await using server = await startEmbedded({ directory: join(data, "postgres") });
  await change(server.url, sql);
}

async function change(server: string, sql: string): Promise<void> {
  await using db = await Database.open(server, { max: 1 });
  await db.query("SET session_replication_role = replica");
  await db.query(sql);
}

/** As a stranger tells it, once for a roll. */
const NEW_KEY = /^CRITICAL \(trusted parties\): clients are told to trust a further log key: SHA-256 /;

/** Everything that the auditor checks, canary included, with a memory that stays from before the roll. */
async function audit(
  url: string,
  { sings = true } = {},
): Promise<{ readonly failing: string[]; readonly passed: string[] }> {
  const server = (await runningEmbedded(join(data, "postgres")))!;
  await using db = await Database.open(server, { max: 4 });
  const said: string[] = [];
  await using auditor = await Auditor.open({
    url,
    state: join(data, "auditor-elsewhere"),
    verifyIndex: (log, tree, around) => auditIndex(db, log, tree, { ...around, everyMs: 0 }),
    insight: { db, anchor: join(data, "anchor") },
    canary: { everyMs: 60_000, token: { url: `${url}/idp/token?email=canary@example.com` } },
    told: {
      alarm: (_alarm, text) => void said.push(text),
      failed: (what, error) => void said.push(`${what}: ${String(error)}`),
    },
  });
  if (sings) await auditor.sing();
  await auditor.sweep();
  const { checks } = auditor.status();
  const named = (state: string) => checks.filter((check) => check.state === state).map(({ name }) => name);
  return { failing: [...said, ...named("failing")], passed: named("passed") };
}

const FIRST_TREE = "(SELECT id FROM log.log WHERE name = 'rekor')";
const SECOND_TREE = "(SELECT id FROM log.log WHERE name = 'rekor-shard-2')";

test("an installation that was never started, or whose v1 log takes entries, has nothing to follow", async () => {
  expect((await shard("--for-ever")).err).toContain("holds no installation");
  {
    await using stack = await startTestStack({ data, port });
    expect((await shard()).err).toContain("--for-ever: say it: rekor takes entries");
    expect((await shard("--for-ever")).err).toContain("rekor takes entries and holds none");
    expect((await command("shard", "--log", "ctlog", "--for-ever")).err).toContain(
      "say rekor: no other log has shards",
    );
    expect(await logEntry(stack.url, "one")).toBe(201);
    expect(await logEntry(stack.url, "two")).toBe(201);
    const audited = await audit(stack.url);
    expect(audited).toMatchObject({ failing: [], passed: expect.arrayContaining(["canary entry in rekor"]) });
  }
  expect(await installation()).not.toHaveProperty("rekorShards");
});

test("a new shard goes on where the one before ended, which is read and verified as before", async () => {
  const alarms: string[] = [];
  // From elsewhere, and through all of it.
  await using stranger = await Auditor.open({
    url: `http://localhost:${port}`,
    state: join(data, "auditor-stranger"),
    lookForLogsMs: 100,
    told: { alarm: (_alarm, text) => void alarms.push(text), failed: () => {} },
  });
  const watched = () => stranger.status().logs.map(({ log }) => log);
  {
    await using stack = await startTestStack({ data, port, auditor: "on" });
    await expectVouchedFor(stack.url);
    stranger.start();
    while (!watched().includes("rekor")) await delay(20);
    const before = await json(`${stack.url}/api/v1/log`);
    const rolled = await shard("--for-ever");
    expect([rolled.code, rolled.err]).toEqual([0, ""]);
    expect(rolled.out).toMatch(
      /^rekor: frozen for ever, with 3 entries\nrekor-shard-2: tree \d+, whose first entry has the index 3\nNow start/,
    );
    expect(await logEntry(stack.url, "three")).toBe(405);
    expect(await json(`${stack.url}/api/v1/log`)).toEqual(before);
    // Once more it is the same one.
    const file = await installation();
    expect((await shard("--for-ever")).out).toMatch(/^rekor-shard-2: is awaited already\n/);
    expect(await installation()).toEqual(file);
    expect(((await stat(join(data, "keys", "rekor-shard-2.pem"))).mode & 0o777).toString(8)).toBe("600");
    expect(await readdir(join(data, "anchor"))).not.toContain("rekor-shard-2");
    const checked = await command("fsck", "--log", "rekor");
    expect([checked.code, checked.out]).toEqual([
      2,
      expect.stringContaining("rekor-shard-2: could not be read: log: rekor-shard-2 is not made yet: the next start"),
    ]);
  }
  await using stack = await startTestStack({ data, port, auditor: "on" });
  expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
  expect(await logEntry(stack.url, "three")).toBe(201);
  expect(await logEntry(stack.url, "one")).toBe(201);
  const { inactiveShards, treeID, treeSize } = await json(`${stack.url}/api/v1/log`);
  const { treeId, rekorShards } = await installation();
  expect([inactiveShards, treeID, treeSize]).toMatchObject([
    [{ treeID: treeId, treeSize: 3 }],
    rekorShards[0].treeId,
    2,
  ]);
  const [[entryId]] = Object.entries(await json(`${stack.url}/api/v1/log/entries?logIndex=3`)) as [[string, unknown]];
  expect(BigInt(`0x${entryId.slice(0, 16)}`)).toBe(BigInt(treeID));
  const none = await shard("--for-ever", "--anchor", join(data, "elsewhere"));
  expect([none.code, none.err]).toEqual([1, expect.stringContaining("its anchor is missing")]);
  while (!watched().includes("rekor-shard-2")) await delay(20);
  await stranger.sweep();
  expect(alarms).toEqual([expect.stringMatching(NEW_KEY)]);
  await settleAll("auditor-stranger");
  await stranger.sweep();
  expect(alarms.slice(1)).toEqual([
    expect.stringMatching(/^RESOLVED \(trusted parties, .*an operator settled it: we made/),
  ]);
  await expectVouchedFor(stack.url);
  const proven = stranger.status().checks.filter(({ state }) => state === "passed");
  for (const log of ["rekor", "rekor-shard-2"])
    expect(proven.map(({ name }) => name)).toContain(`checkpoint of ${log}`);
  await expectClientsTold(stack.url);
  await expectClean(stack.url);
  expect((await audit(stack.url, { sings: false })).failing).toEqual([
    expect.stringMatching(NEW_KEY),
    "trusted parties",
  ]);
  await settleAll("auditor-elsewhere");
  const { failing, passed } = await audit(stack.url);
  expect(failing).toEqual([expect.stringMatching(/^RESOLVED \(trusted parties/)]);
  const ofShards = [
    "checkpoint of",
    "edge of",
    "heads of",
    "stored rows of",
    "entries of",
    "index of",
    "search index of",
  ];
  for (const check of ofShards)
    expect(passed).toEqual(expect.arrayContaining([`${check} rekor`, `${check} rekor-shard-2`]));
  expect(passed.filter((name) => name.startsWith("canary entry"))).toEqual([
    "canary entry in rekor-shard-2",
    "canary entry in rekor-v2",
  ]);
  await expectExported();
});

async function settleAll(state: string): Promise<void> {
  const folder = join(data, state);
  for (const { id } of await settleable(folder)) await settleAlarm(folder, id, "we made a new shard", Date.now());
}

/** The auditor beside the services knows what they made. */
async function expectVouchedFor(url: string): Promise<void> {
  const audited = () => json(`${url}/api/chancery/v1/audit`);
  const trusted = async () =>
    (await audited()).checks.find(({ name }: { name: string }) => name === "trusted parties")?.state;
  await expect.poll(trusted, { timeout: 20_000 }).toBe("passed");
  expect((await audited()).alarms).toEqual([]);
}

/** Entries of all shards, one after the other, under one name and signed for by each; and the same in threads. */
async function expectExported(): Promise<void> {
  for (const threads of ["0", "2"]) {
    const file = join(data, `entries-${threads}.jsonl`);
    const made = await command("export", "entries", "--out", file, "--log", "rekor", "--threads", threads);
    expect(made.code, made.err).toBe(0);
    expect(made.out).toContain("signed by rekor and rekor-shard-2");
    const lines = (await readFile(file, "utf8")).trim().split("\n");
    const told = lines.map((line) => JSON.parse(line) as { log: string; logIndex: string; entryId: string });
    const { treeId, rekorShards } = await installation();
    expect(told.map(({ log, logIndex }) => `${log} ${logIndex}`)).toEqual(
      [0, 1, 2, 3, 4, 5].map((at) => `rekor ${at}`),
    );
    const trees = told.map(({ entryId }) => String(BigInt(`0x${entryId.slice(0, 16)}`)));
    const next = rekorShards[0].treeId;
    expect(trees).toEqual([treeId, treeId, treeId, next, next, next]);
    const held = await command("export", "verify", file, `${file}.manifest`);
    expect([held.code, held.out], held.err).toEqual([
      0,
      expect.stringContaining("root of rekor-shard-2 from its entries"),
    ]);
    // One line less, of the second shard.
    await writeFile(file, `${lines.toSpliced(4, 1).join("\n")}\n`);
    const torn = await command("export", "verify", file, `${file}.manifest`);
    expect([torn.code, torn.out]).toEqual([1, expect.stringContaining("entry 5 stands where 4 is expected")]);
  }
}

/** Of both keys, each in its time, and of one v1 log. */
async function expectClientsTold(url: string): Promise<void> {
  const { tlogs } = await json(`${url}/trust/trusted_root.json`);
  const { created, rekorShards } = await installation();
  const windows = tlogs.map((log: { publicKey: { validFor: object } }) => log.publicKey.validFor);
  expect(windows).toEqual([
    { start: new Date(created).toISOString(), end: rekorShards[0].previousUntil },
    { start: new Date(created).toISOString() },
    { start: rekorShards[0].since },
  ]);
  const config = await json(`${url}/trust/signing_config.v0.2.json`);
  expect(config.rekorTlogUrls.map((log: { majorApiVersion: number }) => log.majorApiVersion)).toEqual([2, 1]);
  const pem = await (await fetch(`${url}/trust/rekor.pub`)).text();
  expect(pem).toBe(await (await fetch(`${url}/api/v1/log/publicKey`)).text());
}

/** Every shard, from inside and from outside, and what its entries are found by. */
async function expectClean(url: string): Promise<void> {
  const inside = await command("fsck");
  expect(inside.code, inside.out + inside.err).toBe(0);
  expect(inside.out.match(/^\S+: clean: \d+/gm)).toEqual([
    "rekor: clean: 3",
    "rekor-shard-2: clean: 2",
    "rekor-v2: clean: 1",
    "ctlog: clean: 1",
  ]);
  let outside = "";
  const terminal = { out: (text: string) => void (outside += text), err: (text: string) => void (outside += text) };
  expect(await run(["fsck", "--url", url], {}, terminal), outside).toBe(0);
  expect(outside.match(/^\S+: clean: \d+/gm)).toEqual(inside.out.match(/^\S+: clean: \d+/gm));
  const one = await command("fsck", "--log", "rekor-shard-2");
  expect(one.out).toMatch(/^rekor-shard-2: clean: 2 entries in [^\n]+\n[^:]*$/);
  expect((await command("index", "verify")).out).toBe(
    ["rekor 3", "rekor-shard-2 2", "rekor-v2 1"]
      .map((log) => log.replace(/(\S+) (\d)/, "$1: all keys are those of the entries (size $2)\n"))
      .join(""),
  );
  expect((await command("freeze", "--log", "rekor", "--for-ever")).out).toBe(
    "rekor: was frozen already, with 3 entries; what takes entries is rekor-shard-2\n",
  );
}

async function expectRefused(url: string): Promise<void> {
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("takes entries again")]);
  expect(await logEntry(url, "four")).toBe(503);
  expect((await fetch(`${url}/api/v1/log/entries?logIndex=3`)).status).toBe(200);
}

test("a shard whose frozen flag was taken back in the database ends writing, whether chancery runs or not", async () => {
  const takenBack = `UPDATE log.tree SET frozen = false WHERE log = ${FIRST_TREE}`;
  {
    await using stack = await startTestStack({ data });
    expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
    await change((await runningEmbedded(join(data, "postgres")))!, takenBack);
    // What was found a moment ago is told again.
    await expect.poll(async () => (await fetch(`${stack.url}/readyz`)).status, { timeout: 20_000 }).toBe(503);
    await expectRefused(stack.url);
  }
  {
    await using stack = await startTestStack({ data });
    await expectRefused(stack.url);
    expect(places(stack.stack.facts)).toContainEqual([
      "Rekor's shards",
      expect.stringMatching(/^2; rekor-shard-2 takes entries, from index 3 on \(tree \d+\)$/),
    ]);
  }
  await asOwner(`UPDATE log.tree SET frozen = true WHERE log = ${FIRST_TREE}`);
  await using stack = await startTestStack({ data });
  expect(await logEntry(stack.url, "four")).toBe(201);
});

test("an installation.json of before the shard is refused beside its anchor", async () => {
  const path = join(data, "installation.json");
  const file = await readFile(path, "utf8");
  const { rekorShards: _, ...older } = JSON.parse(file);
  await writeFile(path, JSON.stringify(older));
  await expect(startTestStack({ data })).rejects.toThrow("is older than its log rekor-shard-2");
  expect((await shard("--for-ever")).err).toContain("is older than its log rekor-shard-2");
  await writeFile(path, file);
  await mkdir(join(data, "anchor", "lost+found"), { recursive: true });
  await using stack = await startTestStack({ data });
  expect(await logEntry(stack.url, "five")).toBe(201);
});

/** It was made there and anchored, and was then missing in the right one, where nothing made it anew. */
test("a start with a database of before the freeze makes no shard there, and one with the right one does", async () => {
  expect((await shard("--for-ever")).out).toContain("rekor-shard-2: frozen for ever");
  await asOwner(`UPDATE log.tree SET frozen = false WHERE log = ${SECOND_TREE}`);
  await expect(startTestStack({ data })).rejects.toThrow(
    "cannot hold new logs: log rekor-shard-2: it was frozen for ever, and its database says that it takes entries again",
  );
  expect(await readdir(join(data, "anchor"))).not.toContain("rekor-shard-3");
  await asOwner(`UPDATE log.tree SET frozen = true WHERE log = ${SECOND_TREE}`);
  await using stack = await startTestStack({ data });
  expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
  expect(await logEntry(stack.url, "six")).toBe(201);
});

test("a shard that is lost is not made anew", async () => {
  await asOwner("UPDATE log.log SET name = 'another' WHERE name = 'rekor-shard-2'");
  await using stack = await startTestStack({ data });
  const ready = await fetch(`${stack.url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("it is not in the database")]);
  expect(await logEntry(stack.url, "seven")).toBe(503);
});

// oxlint-disable-next-line typescript/no-explicit-any -- answers are asserted on, member by member.
async function json(url: string): Promise<any> {
  return await (await fetch(url)).json();
}
