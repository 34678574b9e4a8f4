import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, readlink, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Auditor } from "../src/watch/auditor.ts";
import type { AuditorOptions } from "../src/watch/auditor-options.ts";
import { DrawnLog } from "./drawn-log.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-barred-"));
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

const HOME = "https://drawn.example";

/** A trusted root, a Rekor log and a v2 log of three entries each; a path in `silent` answers nothing. */
async function installation() {
  const rekor = new DrawnLog(DrawnLog.named(3));
  await rekor.publish();
  const key = rekor.signer.publicKey.keyObject.export({ type: "spki", format: "der" }).toString("base64");
  const silent = new Set<string>();
  /** What who names no tree is given; the log's own checkpoint, unless said. */
  const clients: { note?: Uint8Array; nameTheTree?: true } = {};
  const served = rekor.served();
  const reach = async (url: string) => {
    if (clients.nameTheTree && url === `${HOME}/api/v1/log/shards`) return Response.json([{ treeID: "7" }]);
    if (url === `${HOME}/api/v1/log/checkpoint` && clients.note) return new Response(Buffer.from(clients.note));
    const path = url.slice(HOME.length).replace("/shards/7", "");
    if ([...silent].some((start) => path.startsWith(start))) throw new TypeError("fetch failed");
    if (path === "/trust/trusted_root.json") {
      return Response.json({ tlogs: [{ baseUrl: HOME, publicKey: { rawBytes: key } }], ctlogs: [] });
    }
    if (path === "/api/v1/log/checkpoint") return new Response(Buffer.from(rekor.note));
    if (path === "/api/v1/log/tile/0/000.p/3")
      return new Response(Buffer.from((await served.tiles.tile(0, 0n, 3)) ?? []));
    if (path === "/api/v1/log/tile/entries/000.p/3") {
      const lengths = rekor.leaves.map((leaf) => Buffer.concat([Buffer.of(0, leaf.length), leaf]));
      return new Response(Buffer.concat(lengths));
    }
    return new Response("", { status: 404 });
  };
  const open = (options: Partial<AuditorOptions> = {}) =>
    Auditor.open({
      url: HOME,
      state: directory,
      told: { alarm: () => {}, failed: () => {} },
      way: { fetch: reach },
      ...options,
    });
  return { clients, rekor, silent, open };
}

const states = (auditor: Auditor) => new Map(auditor.status().checks.map(({ name, state }) => [name, state]));
const troubles = (auditor: Auditor) =>
  auditor
    .status()
    .alarms.filter(({ resolved, check }) => resolved === undefined && check.startsWith("memory of "))
    .map(({ trouble, check }) => `${trouble}: ${check}`);

/** This process's files below the folder. */
async function openFiles(): Promise<number> {
  const files = await readdir("/proc/self/fd");
  const paths = await Promise.all(files.map((file) => readlink(`/proc/self/fd/${file}`).catch(() => "")));
  return paths.filter((path) => path.startsWith(join(directory, "logs"))).length;
}

async function remembered() {
  const world = await installation();
  await using auditor = await world.open();
  await auditor.sweep();
  expect(auditor.status().logs.find(({ log }) => log === "rekor")?.verifiedSize).toBe("3");
  return world;
}

test("a remembered checkpoint that today's key did not sign bars that log alone, and leaks no file, however often it is tried", async () => {
  const { open } = await remembered();
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await using auditor = await open({ keys: { rekor: publicKey } });
  await auditor.sweep();
  expect(troubles(auditor)).toEqual(["bad-signature: memory of rekor"]);
  const files = await openFiles();
  for (let look = 0; look < 5; look++) await auditor.sweep();
  expect(await openFiles()).toBe(files);
  expect(auditor.status().logs.map(({ log }) => log)).toEqual(["rekor-v2"]);
  expect(states(auditor).get("reach")).toBe("passed");
  expect([...states(auditor).keys()]).toEqual(expect.arrayContaining(["trust root", "checkpoint of rekor-v2"]));
});

/** What is done to it, and where. */
test.for([
  ["state.json that ends in the middle", (file: string) => writeFile(file, '{"version":1,')],
  ["state.json that says something else", (file: string) => writeFile(file, '{"version":1,"keys":7}')],
  ["tiles that are shorter than what was proven", (file: string) => writeFile(file, "")],
] as const)("a %s bars that log alone, until it is put right", async ([name, damage]) => {
  const { open } = await remembered();
  const folder = join(directory, "logs", "rekor");
  const file = join(folder, "state.json");
  const whole = await readFile(file, "utf8");
  if (name.startsWith("tiles")) {
    await writeFile(file, whole.replace('"size":"3"', '"size":"259"'));
    await truncate(join(folder, "tiles"), 0);
  } else await damage(file);
  await using auditor = await open();
  await auditor.sweep();
  expect(troubles(auditor)).toEqual(["memory-lost: memory of rekor"]);
  expect(auditor.status().logs.map(({ log }) => log)).toEqual(["rekor-v2"]);
  await writeFile(file, whole);
  await auditor.sweep();
  expect(troubles(auditor)).toEqual([]);
  expect(auditor.status().logs.map(({ log }) => log)).toEqual(["rekor-v2", "rekor"]);
});

test("an installation that answers nothing at the start has its remembered logs watched, and all else looked at", async () => {
  const { silent, open } = await remembered();
  silent.add("/");
  await using auditor = await open();
  await auditor.sweep();
  expect(auditor.status().logs.map(({ log, verifiedSize }) => [log, verifiedSize])).toEqual([["rekor", "3"]]);
  expect([...states(auditor).keys()]).toEqual(
    expect.arrayContaining(["reach", "reach rekor", "trust root", "clock", `disk of ${directory}`]),
  );
});

test("a Rekor log whose checkpoint is not answered at the start keeps no other from being watched", async () => {
  const { silent, open } = await installation();
  silent.add("/api/v1/log/checkpoint");
  await using auditor = await open();
  await auditor.sweep();
  expect(auditor.status().logs.map(({ log }) => log)).toEqual(["rekor-v2"]);
  expect(states(auditor).get("reach")).toBe("failing");
  silent.clear();
  await auditor.sweep();
  expect(auditor.status().logs.map(({ log }) => log)).toEqual(["rekor-v2", "rekor"]);
  expect(states(auditor).get("reach")).toBe("passed");
});

test("a checkpoint of a tree that the installation does not name is an alarm where clients are shown it, and evidence", async () => {
  const { clients, open } = await installation();
  clients.nameTheTree = true;
  await using auditor = await open();
  await auditor.sweep();
  const unnamed = () => auditor.status().alarms.filter(({ trouble }) => trouble === "unnamed-tree");
  expect(unnamed()).toEqual([]);
  const other = new DrawnLog(DrawnLog.named(5), undefined, 8);
  await other.publish();
  clients.note = other.note;
  await auditor.sweep();
  expect(unnamed()).toMatchObject([{ severity: "critical", subject: "unnamed tree drawn.example - 8" }]);
  const evidence: unknown = JSON.parse(await readFile(unnamed()[0]?.evidence ?? "", "utf8"));
  expect(evidence).toMatchObject({ note: Buffer.from(other.note).toString() });
});
