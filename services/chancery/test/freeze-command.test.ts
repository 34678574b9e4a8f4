import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { startTestStack } from "./start-stack.ts";

let data: string;
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "chancery-freeze-"));
});
afterAll(() => rm(data, { recursive: true, force: true }));

async function chancery(...argv: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await run(argv, {}, terminal), out, err };
}
const freeze = (...argv: string[]) => chancery("freeze", ...argv);
const fsck = () => chancery("fsck", "--log", "rekor-v2", "--data", data, "--json");

/** By whom its triggers do not stop: what a backup of before the freezing says. */
async function thaw(): Promise<void> {
  await using server = await startEmbedded({ directory: join(data, "postgres") });
  await using db = await Database.open(server.url, { max: 1 });
  await db.query("SET session_replication_role = replica");
  await db.query("UPDATE log.tree SET frozen = false WHERE log = (SELECT id FROM log.log WHERE name = 'rekor-v2')");
}

test("a log that is frozen while chancery runs takes nothing more, stays ready to be read, and signers are sent elsewhere", async () => {
  let checkpoint: string;
  {
    await using stack = await startTestStack({ data });
    expect(await write(stack.url)).toBe(201);
    checkpoint = await (await fetch(`${stack.url}/api/v2/checkpoint`)).text();
    const answer = await freeze("--log", "rekor-v2", "--for-ever", "--data", data);
    expect(answer).toEqual({ code: 0, out: "rekor-v2: frozen for ever, with 1 entry\n", err: "" });
    expect(await write(stack.url)).toBe(405);
    const ready = await fetch(`${stack.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining("rekor-v2: is frozen")]);
    expect(await apiVersions(stack.url)).toEqual([2, 1]);
    const checked = await fsck();
    expect([checked.code, JSON.parse(checked.out)]).toMatchObject([
      0,
      { notes: ["frozen: it takes no more entries, for ever"] },
    ]);
  }
  const again = await freeze("--log", "rekor-v2", "--for-ever", "--data", data);
  expect(again).toEqual({ code: 0, out: "rekor-v2: was frozen already, with 1 entry\n", err: "" });
  await using stack = await startTestStack({ data });
  expect(await (await fetch(`${stack.url}/api/v2/checkpoint`)).text()).toBe(checkpoint);
  expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
  expect(await apiVersions(stack.url)).toEqual([1]);
  const root = await (await fetch(`${stack.url}/trust/trusted_root.json`)).json();
  expect((root as { tlogs: unknown[] }).tlogs).toHaveLength(2);
});

test("a frozen log on a database of before takes nothing again and is read, and is frozen once more", async () => {
  await thaw();
  const damaged = await fsck();
  expect([damaged.code, JSON.parse(damaged.out)]).toMatchObject([
    1,
    { where: "tree, frozen", meaning: expect.stringContaining("its database is one of before") },
  ]);
  {
    await using stack = await startTestStack({ data });
    const ready = await fetch(`${stack.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringContaining("rekor-v2: it was frozen for ever, and its database says that it takes entries again"),
    ]);
    expect(await write(stack.url)).toBe(503);
    expect((await fetch(`${stack.url}/api/v2/checkpoint`)).status).toBe(200);
    expect((await fetch(`${stack.url}/api/v2/tile/entries/000.p/1`)).status).toBe(200);
  }
  const again = await freeze("--log", "rekor-v2", "--for-ever", "--data", data);
  expect(again).toEqual({ code: 0, out: "rekor-v2: frozen once more, with 1 entry\n", err: "" });
  expect((await fsck()).code).toBe(0);
  await using stack = await startTestStack({ data });
  expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
  expect(await write(stack.url)).toBe(405);
});

test("with its CT log frozen the CA says that it can issue nothing", async () => {
  expect((await freeze("--log", "ctlog", "--for-ever", "--data", data)).code).toBe(0);
  await using stack = await startTestStack({ data });
  const ready = await fetch(`${stack.url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringContaining("its CT log is frozen: name another"),
  ]);
});

test("nothing is frozen by half a command", async () => {
  expect(await freeze("--data", data)).toMatchObject({ code: 2, err: expect.stringContaining("--log: say one of") });
  expect(await freeze("--log", "rekor", "--data", data)).toMatchObject({
    code: 2,
    err: expect.stringContaining("--for-ever"),
  });
  const none = await freeze("--log", "rekor-shard-2", "--for-ever", "--data", data);
  expect(none).toMatchObject({
    code: 2,
    err: expect.stringContaining("--log: this installation has no log rekor-shard-2"),
  });
  const nowhere = await freeze("--log", "rekor", "--for-ever", "--data", join(data, "none"));
  expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining("holds no installation")]);
});

/** Of a new artifact; the status of the answer. */
async function write(url: string): Promise<number> {
  const artifact = randomBytes(32);
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rawBytes = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const verifier = { publicKey: { rawBytes }, keyDetails: "PKIX_ECDSA_P256_SHA_256" };
  const signature = { content: sign("sha256", artifact, privateKey).toString("base64"), verifier };
  const digest = createHash("sha256").update(artifact).digest("base64");
  const body = JSON.stringify({ hashedRekordRequestV002: { digest, signature } });
  const headers = { "Content-Type": "application/json" };
  return (await fetch(`${url}/api/v2/log/entries`, { method: "POST", headers, body })).status;
}

async function apiVersions(url: string): Promise<number[]> {
  const config = await (await fetch(`${url}/trust/signing_config.v0.2.json`)).json();
  return (config as { rekorTlogUrls: { majorApiVersion: number }[] }).rekorTlogUrls.map(
    ({ majorApiVersion }) => majorApiVersion,
  );
}
