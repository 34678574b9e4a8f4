import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { Misconfigured } from "@chancery/fault";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unprivilegedAccount } from "../src/embedded/account.ts";
import { locateBinaries, packagedBinaries } from "../src/embedded/binaries.ts";
import { readPostmasterFile } from "../src/embedded/orphan.ts";
import { isStalled } from "../src/embedded/stalled.ts";
import { Database, startEmbedded } from "../src/index.ts";

const isLinux = process.platform === "linux";
const isRoot = isLinux && process.getuid?.() === 0;
const NOBODY = 65_534;

let home: string;
let directory: string;
const owners: ChildProcess[] = [];

beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), "embedded-test-")));
  directory = join(home, "postgres");
});

afterEach(async () => {
  for (const owner of owners.splice(0)) owner.kill("SIGKILL");
  await serverIsGone(directory);
  await rm(home, { recursive: true, force: true });
});

/** Another process that owns the server in `directory`. */
async function startOwner(user?: number): Promise<{ process: ChildProcess; url: string; says(): Promise<string> }> {
  const script = join(import.meta.dirname, "owner.ts");
  const owner = spawn(process.execPath, ["--conditions=@chancery/source", script, directory], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
    cwd: "/",
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  owners.push(owner);
  const lines = createInterface(owner.stdout)[Symbol.asyncIterator]();
  const says = async () => String((await lines.next()).value);
  const [, url = ""] = (await says()).split(" ");
  return { process: owner, url, says };
}

const postmaster = async () => {
  const file = await readFile(join(directory, "data", "postmaster.pid"), "utf8").catch(() => "");
  return Number(file.split("\n")[0]);
};

const isAlive = (pid: number) => {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function serverIsGone(where: string): Promise<void> {
  expect(where).toBe(directory);
  for (let left = 1000; isAlive(await postmaster()); left--) {
    if (left === 0) throw new Error("the server lingers");
    await delay(10);
  }
}

async function starts(url: string): Promise<bigint> {
  await using db = await Database.open(url);
  const [row] = await db.query<{ starts: bigint }>("SELECT count(*) AS starts FROM starts");
  return row!.starts;
}

test("a first start makes a cluster with checksums, UTF-8 and plain byte order, and the next one finds it", async () => {
  const steps: string[] = [];
  const first = await startEmbedded({ directory, progress: (text) => steps.push(text) });
  await using db = await Database.open(first.url);
  await db.query("CREATE TABLE kept (n bigint)");
  await db.query("INSERT INTO kept VALUES (7)");
  const [settings] = await db.query(
    `SELECT datcollate, pg_encoding_to_char(encoding) AS encoding, current_setting('data_checksums') AS checksums,
            current_setting('listen_addresses') AS addresses, current_setting('fsync') AS fsync,
            current_setting('full_page_writes') AS pages, current_setting('synchronous_commit') AS commits
     FROM pg_database WHERE datname = current_database()`,
  );
  expect(settings).toEqual({
    datcollate: "C",
    encoding: "UTF8",
    checksums: "on",
    addresses: "",
    fsync: "on",
    pages: "on",
    commits: "on",
  });
  await first.stop();
  expect(steps).toContain("creating the database (first start only)");

  await using second = await startEmbedded({ directory });
  await using again = await Database.open(second.url);
  expect(await again.query("SELECT n FROM kept")).toEqual([{ n: 7n }]);
});

test("stop leaves no process and no socket", async () => {
  const server = await startEmbedded({ directory });
  const pid = await postmaster();
  const sockets = new URLSearchParams(server.url.split("?")[1]).get("host")!;
  expect((await stat(sockets)).mode & 0o777).toBe(0o700);
  await Promise.all([server.stop(), server.stop()]);
  expect(isAlive(pid)).toBe(false);
  expect(await stat(sockets).catch(() => "gone")).toBe("gone");
});

test("a password that cannot be read is told, and no new one is put in its place", async () => {
  await mkdir(join(directory, "password"), { recursive: true });
  const refused = startEmbedded({ directory });
  await expect(refused).rejects.toThrow(Misconfigured);
  await expect(refused).rejects.toThrow(/password cannot be read \(EISDIR\)/);
  expect(await readdir(join(directory, "password"))).toEqual([]);
});

test.skipIf(!isLinux)(
  "a server that does nothing is told from one that runs, and from one that recovers (skipped where it is not Linux)",
  async () => {
    await using server = await startEmbedded({ directory });
    const { pid } = (await readPostmasterFile(join(directory, "data")))!;
    await expect.poll(() => isStalled(pid)).toBe(false);
    await using db = await Database.open(server.url, { max: 1 });
    // What a server looks like whose processes are gone: this one's, held still while they are killed.
    process.kill(pid, "SIGSTOP");
    for (const child of await children(pid)) process.kill(child, "SIGKILL");
    await expect.poll(() => isStalled(pid)).toBe(true);
    process.kill(pid, "SIGCONT");
    await expect.poll(() => isStalled(pid), { timeout: 10_000 }).toBe(false);
    await expect.poll(async () => await db.query("SELECT 1").catch(() => []), { timeout: 10_000 }).toHaveLength(1);
  },
);

async function children(pid: number): Promise<number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ").map(Number);
}

test("nobody reads the password file but its owner, and no one gets in without the password", async () => {
  await using server = await startEmbedded({ directory });
  expect((await stat(join(directory, "password"))).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  await expect(Database.open(server.url.replace(/:[^:@]+@/, ":guess@"))).rejects.toThrow(
    "CHANCERY_DATABASE_URL: the database refuses these credentials or this name",
  );
});

describe("one process for one directory", () => {
  test("a second in the same process is refused", async () => {
    const first = await startEmbedded({ directory });
    const refused = await startEmbedded({ directory }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Misconfigured);
    expect(refused).toMatchObject({ key: "CHANCERY_DATA" });
    await first.stop();
  });

  test("another process is refused while the first runs, and let in after it was killed", async () => {
    const owner = await startOwner();
    await expect(startEmbedded({ directory })).rejects.toThrow(
      `CHANCERY_DATA: another Chancery is running on ${directory}`,
    );
    owner.process.kill("SIGKILL");
    await once(owner.process, "close");
    await using server = await startEmbedded({ directory });
    expect(await starts(server.url)).toBe(1n);
  });
});

// Process trees are read from /proc.
describe.runIf(isLinux)("when a process dies", () => {
  test("kill -9 of the owner takes the server and its socket's folder with it", async () => {
    const owner = await startOwner();
    const sockets = new URLSearchParams(owner.url.split("?")[1]).get("host")!;
    expect((await stat(sockets)).isDirectory()).toBe(true);
    owner.process.kill("SIGKILL");
    await serverIsGone(directory);
    await expect.poll(() => stat(sockets).catch(() => "gone")).toBe("gone");
  });

  test("a folder that was left all the same goes with the next start", async () => {
    const first = await startEmbedded({ directory });
    await first.stop();
    const sockets = await readFile(join(directory, "socket-directory"), "utf8");
    await mkdir(sockets, { mode: 0o700 });
    const { uid, gid } = await stat(join(directory, "data"));
    if (isRoot) await chown(sockets, uid, gid);
    const next = await startEmbedded({ directory });
    expect(await stat(sockets).catch(() => "gone")).toBe("gone");
    await next.stop();
  });

  test("the owner of a lingering server is killed, and the next start ends that server first", async () => {
    const owner = await startOwner();
    const lingering = await postmaster();
    const keeper = await parentOf(lingering);
    // Without its keeper and the keeper's watch nothing tells the server that its owner is gone.
    for (const pid of await childrenOf(keeper)) if (pid !== lingering) process.kill(pid, "SIGKILL");
    process.kill(keeper, "SIGSTOP");
    owner.process.kill("SIGKILL");
    await once(owner.process, "close");
    expect(isAlive(lingering)).toBe(true);
    process.kill(keeper, "SIGKILL");
    await using server = await startEmbedded({ directory });
    expect(await postmaster()).not.toBe(lingering);
    expect(await starts(server.url)).toBe(1n);
  });

  test.each(["the server", "its keeper"])(
    "kill -9 of %s: it is back by itself, at the same address, and that is told",
    async (victim) => {
      const warnings: string[] = [];
      await using server = await startEmbedded({ directory, warn: (text) => warnings.push(text) });
      await using db = await Database.open(server.url);
      const first = await postmaster();
      const keeper = await parentOf(first);
      process.kill(victim === "the server" ? first : keeper, "SIGKILL");
      await expect.poll(() => db.query("SELECT 1 AS one").catch(() => []), { timeout: 15_000 }).toEqual([{ one: 1 }]);
      await expect.poll(postmaster).not.toBe(first);
      expect(warnings[0]).toMatch(/^PostgreSQL ended and is started again; why is in .*postgres\.log$/);
      await expect.poll(() => db.query("SELECT 1 AS one").catch(() => []), { timeout: 15_000 }).toEqual([{ one: 1 }]);
    },
  );

  test("a first start that was killed half-way is begun anew", async () => {
    await mkdir(join(directory, "data.new"), { recursive: true, mode: 0o700 });
    await using server = await startEmbedded({ directory });
    await using db = await Database.open(server.url);
    expect(await db.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(await readdir(directory)).not.toContain("data.new");
  });

  test("Ctrl-C in a terminal is for the owner alone: the server goes on until told to stop", async () => {
    const owner = await startOwner();
    process.kill(-owner.process.pid!, "SIGINT");
    expect(await owner.says()).toBe("alive");
    owner.process.kill("SIGTERM");
    expect((await once(owner.process, "close"))[0]).toBe(0);
    expect(isAlive(await postmaster())).toBe(false);
  });
});

describe.runIf(isRoot)("under root", () => {
  test("the server runs as an unprivileged user", async () => {
    await using server = await startEmbedded({ directory });
    await using db = await Database.open(server.url);
    expect(await db.query("SHOW data_directory")).toEqual([{ data_directory: "/proc/self/cwd" }]);
    const status = await readFile(`/proc/${await postmaster()}/status`, "utf8");
    const [, uid] = /^Uid:\s+(\d+)/m.exec(status)!;
    expect(Number(uid)).toBeGreaterThan(0);
    expect((await stat(join(directory, "data"))).uid).toBe(Number(uid));
  });

  test("the data directory may lie where that user cannot walk", async () => {
    await chmod(home, 0o700);
    for (let round = 0; round < 2; round++) {
      await using server = await startEmbedded({ directory });
      await using db = await Database.open(server.url);
      expect(await db.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    }
  });

  test("so may the checkout, with the server's own files in it", async () => {
    await chmod(home, 0o700);
    const native = join(home, "package", "native");
    await cp(packagedBinaries(), native, { recursive: true, verbatimSymlinks: true });
    await cp(join(packagedBinaries(), "..", "package.json"), join(home, "package", "package.json"));
    const account = await unprivilegedAccount(join(directory, "data"));
    const binaries = await locateBinaries(account, () => {}, native);
    expect(binaries.postgres).not.toContain(home);
    expect((await stat(binaries.postgres)).uid).toBe(0);
  });

  test("an ordinary user starts one too, and root finds it again under that user", async () => {
    await mkdir(directory);
    await chown(directory, NOBODY, NOBODY);
    await chmod(home, 0o755);
    const owner = await startOwner(NOBODY);
    owner.process.kill("SIGTERM");
    await once(owner.process, "close");
    await using server = await startEmbedded({ directory });
    expect(await starts(server.url)).toBe(1n);
    expect((await stat(join(directory, "data"))).uid).toBe(NOBODY);
  });
});

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s+(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))![1]);
}
