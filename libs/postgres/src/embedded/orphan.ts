import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Misconfigured } from "@chancery/fault";

const run = promisify(execFile);

/** A fast shutdown writes a checkpoint; on a slow disk with much to write it takes its time. */
const FAST_SHUTDOWN_MS = 30_000;
const IMMEDIATE_SHUTDOWN_MS = 10_000;
/** postmaster.pid has whole seconds, and the kernel's clock for processes drifts against the wall's. */
const START_TOLERANCE_MS = 5_000;
const POLL_MS = 10;

/**
 * Ends a server whose owner was killed and that is still on its way down (or never noticed). The caller holds
 * the directory's lock, so nobody else's server is meant. A server that is gone leaves postmaster.pid
 * behind, which PostgreSQL itself overwrites, unless its process ID now belongs to something else.
 */
export async function stopOrphan(dataDirectory: string, progress: (text: string) => void): Promise<void> {
  const file = join(dataDirectory, "postmaster.pid");
  const noted = await readPostmasterFile(dataDirectory);
  if (noted === undefined || !isAlive(noted.pid)) return;
  const { name, started } = await describe(noted.pid);
  if (started === undefined || Math.abs(started - noted.startedAt) > START_TOLERANCE_MS) {
    // Removed only when no PostgreSQL has that number: the file also guards against its surviving workers.
    if (name !== undefined && name !== "postgres") await rm(file, { force: true });
    return;
  }
  progress("waiting for the last PostgreSQL to stop");
  signal(noted.pid, "SIGINT");
  if (await isGone(noted.pid, FAST_SHUTDOWN_MS)) return;
  signal(noted.pid, "SIGQUIT");
  if (await isGone(noted.pid, IMMEDIATE_SHUTDOWN_MS)) return;
  throw new Misconfigured("CHANCERY_DATA", `PostgreSQL (process ${noted.pid}) on ${dataDirectory} does not stop`);
}

export interface PostmasterFile {
  readonly pid: number;
  readonly startedAt: number;
  /** "starting", "ready", "stopping"; absent early in a start. */
  readonly status: string | undefined;
}

/** postmaster.pid (PostgreSQL's src/include/utils/pidfile.h): line 1 process ID, 3 start in seconds, 8 status. */
export async function readPostmasterFile(dataDirectory: string): Promise<PostmasterFile | undefined> {
  const lines = (await readFile(join(dataDirectory, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  return { pid, startedAt: Number(lines[2]) * 1000, status: lines[7]?.trim() };
}

async function isGone(pid: number, within: number): Promise<boolean> {
  for (const end = Date.now() + within; Date.now() < end; await delay(POLL_MS)) {
    if (!isAlive(pid)) return true;
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone in between, which is what was wanted.
  }
}

async function describe(pid: number): Promise<{ name?: string; started?: number }> {
  return process.platform === "linux" ? fromProc(pid) : fromPs(pid);
}

/** proc_pid_stat(5): the name stands in parentheses, field 22 is the start in ticks (1/100 s) after boot. */
async function fromProc(pid: number): Promise<{ name?: string; started?: number }> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const boot = /^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8").catch(() => ""))?.[1];
  const ticks = status.slice(status.lastIndexOf(")") + 2).split(" ")[19];
  if (boot === undefined || ticks === undefined) return {};
  const name = status.slice(status.indexOf("(") + 1, status.lastIndexOf(")"));
  return { name, started: Number(boot) * 1000 + Number(ticks) * 10 };
}

async function fromPs(pid: number): Promise<{ name?: string; started?: number }> {
  try {
    const { stdout } = await run("ps", ["-p", String(pid), "-o", "lstart=,comm="], { env: { LC_ALL: "C" } });
    const [, started = "", path = ""] = /^(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/.exec(stdout.trim()) ?? [];
    return { name: path.split("/").pop() ?? path, started: Date.parse(started) };
  } catch {
    return {};
  }
}
