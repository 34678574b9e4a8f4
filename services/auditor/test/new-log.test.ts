import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
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

test("a shard that the trusted root names with two keys is one log", async () => {
  const { shards, reach } = await installation();
  shards.push("ctlog/2026");
  const told = { alarm: () => {}, failed: () => {} };
  await using auditor = await Auditor.open({ url: HOME, state: directory, told, way: { fetch: reach } });
  await auditor.sweep();
  expect(auditor.status().logs.map(({ log }) => log)).toEqual(["rekor", "rekor-v2", "ctlog/2026"]);
});
