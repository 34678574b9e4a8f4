import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A server of others that runs beside ours; its end is SIGTERM, and SIGKILL for one that does not heed it. */
export interface UpstreamProcess extends AsyncDisposable {
  readonly pid: number;
  /** Stops it where it is, so that it takes nothing from what is measured meanwhile. */
  pause(): void;
  resume(): void;
}

const READY_WITHIN_MS = 30_000;
const STOPPED_WITHIN_MS = 10_000;
/** For one question whether a server is there. */
const PATIENCE_MS = 1_000;

const running = new Set<ChildProcess>();
const folders = new Set<string>();

/** A folder that goes with `open`, and with the bench where that is interrupted. */
export async function temporaryFolder(open: AsyncDisposableStack): Promise<string> {
  leaveNothingBehind();
  const folder = await mkdtemp(join(tmpdir(), "chancery-bench-"));
  folders.add(folder);
  open.defer(async () => {
    await rm(folder, { recursive: true, force: true });
    folders.delete(folder);
  });
  return folder;
}

/** Starts `program` in `folder` and waits until it is `ready`; one that is not in time is stopped, and what it said is told. */
export async function startUpstream(
  program: string,
  args: readonly string[],
  folder: string,
  ready: () => Promise<boolean>,
): Promise<UpstreamProcess> {
  leaveNothingBehind();
  const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-2_000)));
  await once(child, "spawn");
  running.add(child);
  child.once("exit", () => running.delete(child));
  const until = performance.now() + READY_WITHIN_MS;
  while (!hasEnded(child) && !(await ready())) {
    if (performance.now() < until) await delay(50);
    else await stop(child);
  }
  if (hasEnded(child)) throw new Error(`${program} does not answer: ${said}`);
  return {
    pid: child.pid ?? Number.NaN,
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    [Symbol.asyncDispose]: () => stop(child),
  };
}

/** Whether a GET of it is answered well. */
export async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) })).ok;
  } catch {
    return false;
  }
}

/** Whether somebody listens there, for servers that speak no HTTP. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port, timeout: PATIENCE_MS });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Open all at once, so that no two are the same. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  return await Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((resolve) => server.close(resolve));
      return typeof address === "object" && address !== null ? address.port : 0;
    }),
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  // One that pauses would not hear it.
  child.kill("SIGCONT");
  const late = setTimeout(() => child.kill("SIGKILL"), STOPPED_WITHIN_MS);
  await exit;
  clearTimeout(late);
}

let watching = false;

/** A bench that is interrupted, or that fails, does not come to its ends of scope; MariaDB heeds no SIGINT of a terminal. */
function leaveNothingBehind(): void {
  if (watching) return;
  watching = true;
  process.once("exit", () => {
    for (const child of running) child.kill("SIGKILL");
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  process.once("SIGHUP", () => process.exit(129));
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
}
