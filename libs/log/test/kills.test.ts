import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createKeyFile, ephemeralSigner } from "@chancery/crypto";
import { decodeHex } from "@chancery/encoding";
import { Unavailable } from "@chancery/fault";
import { Database, startEmbedded } from "@chancery/postgres";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Failpoint, FileAnchor, PostgresLogStore } from "../src/index.ts";
import { newEntry, range, RememberingSigner, World } from "./world.ts";

/** Short forms, for every run; the long ones are the soak test's. */
const KILLS = 4;
/** Each may take its 15 seconds, and the start and the end theirs. */
const LIMIT = { timeout: 120_000 };

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kills-test-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/**
 * The process ID of the server that came after the one that was killed. For some moments the workers of that one go on,
 * and acknowledge more, while its file says its ID or is not there.
 */
async function newServer(data: string, killed: number): Promise<number> {
  const until = performance.now() + 15_000;
  for (;;) {
    const lines = (await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    const pid = Number(lines[0]);
    if (pid > 0 && pid !== killed && lines[7]?.startsWith("ready") === true) return pid;
    if (performance.now() > until) throw new Error(`no server but ${killed}: ${lines.join(" ")}`);
    await delay(20);
  }
}

test("kill -9 of PostgreSQL under load loses nothing, and it goes on without a restart of ours", LIMIT, async () => {
  await using server = await startEmbedded({ directory: join(directory, "postgres") });
  await using db = await Database.open(server.url);
  const anchor = await FileAnchor.open(directory, "anchor");
  const world = new World({ store: await PostgresLogStore.open(db), anchor });
  const log = await world.start();
  const stop = new AbortController();
  const client = async (number: number) => {
    for (let at = 0; !stop.signal.aborted; at++) {
      for (let answered = false; !answered && !stop.signal.aborted;) {
        answered = await world.append(log, newEntry(`${number}-${at}`)).then(
          () => true,
          async (error: unknown) => {
            if (!(error instanceof Unavailable)) throw error;
            await delay(20);
            return false;
          },
        );
      }
    }
  };
  const clients = Promise.all(range(16).map(client));
  const killing = async () => {
    for (let kills = 0, killed = 0; kills < KILLS; kills++) {
      await delay(200 + Math.random() * 200);
      const pid = await newServer(join(directory, "postgres", "data"), killed);
      process.kill(pid, "SIGKILL");
      killed = pid;
      const before = world.acknowledged.length;
      const began = performance.now();
      // The checkpoint is to be had all the time.
      expect((await log.published()).head.size).toBeGreaterThanOrEqual(0n);
      await expect
        .poll(() => world.acknowledged.length, { timeout: 15_000, interval: 20 })
        .toBeGreaterThan(before + 16);
      expect(performance.now() - began).toBeLessThan(15_000);
    }
    stop.abort();
  };
  // A client that is told anything but to ask again fails the test by what it was told.
  await Promise.all([clients, killing()]).finally(() => stop.abort());
  // What the clients were answered last may have been on its way before the last kill.
  await expect.poll(() => log.readiness(), { timeout: 15_000 }).toBeUndefined();
  await log.close();
  await world.check(await world.start());
});

test("kill -9 of the process under load loses nothing it acknowledged, and signs one history", LIMIT, async () => {
  await using server = await startEmbedded({ directory: join(directory, "postgres") });
  const keyFile = join(directory, "key.pem");
  const signer = new RememberingSigner("killed.example", await createKeyFile(keyFile, "ecdsa-p256"));
  const acked: { index: bigint; name: string }[] = [];
  for (let run = 0; run < KILLS; run++) {
    const script = join(import.meta.dirname, "appender.ts");
    const args = ["--conditions=@chancery/source", script, server.url, directory, keyFile, String(run)];
    const appender = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    appender.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await expect.poll(() => said, { timeout: 15_000, interval: 10 }).toContain("acked");
    await delay(100 + Math.random() * 300);
    appender.kill("SIGKILL");
    await once(appender, "close");
    expect(said).toMatch(/^ready $/m);
    // A line that was cut off was never heard.
    for (const [, index = "", name = ""] of said.matchAll(/^acked (\d+) (\S+)\n/gm)) {
      acked.push({ index: BigInt(index), name });
    }
    for (const [, size = "", root = ""] of said.matchAll(/^signed (\d+) ([0-9a-f]{64})\n/gm)) {
      signer.signed.push({ size: BigInt(size), root: decodeHex(root, "root") });
    }
  }
  await using db = await Database.open(server.url);
  const store = await PostgresLogStore.open(db);
  const anchor = await FileAnchor.open(directory, "killed");
  const world = new World({ name: "killed", store, anchor, signer, created: true });
  const log = await world.start();
  expect(acked.length).toBeGreaterThan(KILLS);
  for (const { index, name } of acked) {
    expect((await log.entry(index))?.identity).toEqual(newEntry(name).identity);
  }
  await world.append(log, newEntry("after all"));
  await world.check(log);
});

/** The server and all its workers: what it has not written by then is lost. */
async function killAtOnce(data: string): Promise<number> {
  const pid = await newServer(data, 0);
  const told = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  for (const each of [pid, ...told.trim().split(" ").filter(Boolean).map(Number)]) {
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return pid;
}

const dies: Failpoint = (step) => {
  if (step === "committed") throw new Error("dies");
};

test("a log's last checkpoint, once it is frozen, survives PostgreSQL's death to the byte", LIMIT, async () => {
  await using server = await startEmbedded({ directory: join(directory, "postgres") });
  await using db = await Database.open(server.url);
  // An ECDSA signature made anew is another one.
  const signer = new RememberingSigner("log.example", ephemeralSigner("ecdsa-p256"));
  const anchor = await FileAnchor.open(directory, "anchor");
  const world = new World({ store: await PostgresLogStore.open(db), anchor, signer });
  const log = await world.start();
  await world.append(log, newEntry(1));
  const dying = await world.with({ store: await PostgresLogStore.open(db, dies) }).start();
  await expect(dying.append(newEntry(2))).rejects.toThrow();
  await log.freeze();
  const last = await log.published();
  const killed = await killAtOnce(join(directory, "postgres", "data"));
  await newServer(join(directory, "postgres", "data"), killed);
  const found = async () => (await (await world.start()).published()).note;
  await expect.poll(() => found().catch(() => undefined), { timeout: 15_000 }).toBeDefined();
  expect(await found()).toEqual(last.note);
  expect(last.head.size).toBe(2n);
});
