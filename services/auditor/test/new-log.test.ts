import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogFolder } from "../src/state/log-folder.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { Auditor } from "../src/watch/auditor.ts";
import { DrawnLog } from "./drawn-log.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-found-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const HOME = "https://drawn.example";

/** An installation of nothing but a trusted root and a Rekor log; `shards` are its CT logs. */
async function installation() {
  const rekor = new DrawnLog(DrawnLog.named(3));
  await rekor.publish();
  const key = rekor.signer.publicKey.keyObject.export({ type: "spki", format: "der" }).toString("base64");
  const shards: string[] = ["ctlog/2026"];
  const asked: string[] = [];
  const log = (path: string) => ({ baseUrl: HOME + path, publicKey: { rawBytes: key } });
  const reach = async (url: string) => {
    const path = url.slice(HOME.length);
    asked.push(path);
    if (path === "/trust/trusted_root.json") {
      const root = { tlogs: [log("")], ctlogs: shards.map((shard) => log(`/${shard}`)) };
      return Response.json(root);
    }
    if (path === "/api/v1/log/checkpoint") return new Response(Buffer.from(rekor.note));
    return new Response("", { status: 404 });
  };
  return { shards, asked, reach };
}

test("a shard that is new is found while the auditor runs, and one that is gone is still asked for", async () => {
  const { shards, asked, reach } = await installation();
  const told = { alarm: () => {}, failed: () => {} };
  await using auditor = await Auditor.open({
    url: HOME,
    state: directory,
    told,
    way: { fetch: reach },
    lookForLogsMs: 20,
  });
  auditor.start();
  const watched = () => auditor.status().logs.map(({ log }) => log);
  const until = async (log: string) => {
    while (!watched().includes(log)) await delay(10);
  };
  await until("ctlog/2026");
  shards.splice(0, 1, "ctlog/2027");
  await until("ctlog/2027");
  expect(watched()).toEqual(["rekor", "rekor-v2", "ctlog/2026", "ctlog/2027"]);
  asked.length = 0;
  while (!asked.includes("/ctlog/2027/checkpoint") || !asked.includes("/ctlog/2026/checkpoint")) await delay(10);
});

test("a shard that was proven once is watched after a restart too, though the trusted root names it no more", async () => {
  const { asked, reach } = await installation();
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keys = [publicKey.export({ type: "spki", format: "der" }).toString("base64")];
  const origin = "drawn.example/ctlog/2025";
  await using folder = await LogFolder.open(join(directory, "logs", "ctlog_2025"));
  await folder.remember({ origin, signer: origin, keys, proven: { size: 0n, edge: [] }, note: undefined });
  const told = { alarm: () => {}, failed: () => {} };
  await using auditor = await Auditor.open({ url: HOME, state: directory, told, way: { fetch: reach } });
  await auditor.sweep();
  expect(auditor.status().logs.map(({ log }) => log)).toContain("ctlog/2025");
  expect(asked).toContain("/ctlog/2025/checkpoint");
});

const openFork = (check: string) => ({
  id: check,
  since: "2026-11-21T12:00:00Z",
  severity: "critical" as const,
  check,
  trouble: "fork" as const,
  what: "something",
  meaning: "",
  remedy: "",
  evidence: null,
});

test("alarms of a vantage point and a log that are no longer looked at are closed, with the reason", async () => {
  const { reach } = await installation();
  const state = await StateFolder.open(directory);
  const gone = ["checkpoint of rekor at https://old.example/api/v1/log", "entries of ctlog/2024", "disk of /gone"];
  const standing = [
    "checkpoint of rekor-v2 at https://new.example/api/v2",
    "heads of ctlog",
    "stored rows of rekor-v2",
  ];
  await state.saveAlarms([...gone, ...standing].map(openFork));
  const told: string[] = [];
  await using auditor = await Auditor.open({
    url: HOME,
    vantagePoints: ["https://new.example/"],
    state: directory,
    told: { alarm: (_alarm, text) => void told.push(text), failed: () => {} },
    way: { fetch: reach },
  });
  auditor.start();
  const resolved = () => auditor.status().alarms.filter((alarm) => alarm.resolved !== undefined);
  while (resolved().length < gone.length) await delay(10);
  expect(resolved().map(({ check, reason }) => [check, reason])).toEqual([
    [gone[0], "https://old.example/api/v1/log is no longer one of this auditor's vantage points"],
    [gone[1], "ctlog/2024 is neither named by the trusted root nor remembered in this auditor's folder"],
    [gone[2], "/gone is no longer one of this auditor's folders"],
  ]);
  expect(told.find((text) => text.includes("disk of"))).toMatch(
    /^RESOLVED .*It is not looked at any more: \/gone is no/,
  );
});

test("a shard that the trusted root names with two keys is one log", async () => {
  const { shards, reach } = await installation();
  shards.push("ctlog/2026");
  const told = { alarm: () => {}, failed: () => {} };
  await using auditor = await Auditor.open({ url: HOME, state: directory, told, way: { fetch: reach } });
  await auditor.sweep();
  expect(auditor.status().logs.map(({ log }) => log)).toEqual(["rekor", "rekor-v2", "ctlog/2026"]);
});
