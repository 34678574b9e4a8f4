import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Misconfigured } from "@chancery/fault";
import { type Cluster, nameForServer, serverEnvironment } from "./cluster.ts";
import { readPostmasterFile, stopOrphan } from "./orphan.ts";
import { isStalled } from "./stalled.ts";

/**
 * Between us and PostgreSQL. Standard input is a pipe that only we hold: when we end, in whichever way, the
 * kernel closes it, `read` returns, and the server gets SIGINT, its fast shutdown. So a `kill -9` of
 * ours leaves no server behind, nor the folder of its socket. Its process ID is told on standard output.
 */
const KEEPER = `
sockets=$1
shift
exec 3<&0 </dev/null
closed=
trap 'closed=1' USR1
"$@" 3<&- >&2 &
server=$!
{ read -r _ <&3; kill -USR1 $$; kill -INT "$server"; } >/dev/null 2>&1 &
watch=$!
exec 3<&-
echo "$server"
exec >&2
wait "$server"
status=$?
while kill -0 "$server" 2>/dev/null; do
  wait "$server"
  status=$?
done
kill "$watch" 2>/dev/null
if [ -n "$closed" ]; then rmdir "$sockets" 2>/dev/null; fi
exit "$status"
`;

const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5_000;
const POLL_MS = 5;
const STOP_MS = 60_000;
/** How often it is looked at whether the server still does anything. */
const LOOK_MS = 5_000;
/** After so long up, a death is a new trouble and not the same one again. */
const SETTLED_MS = 2_000;

/**
 * What a crash leaves to replay at most: 5 s a gigabyte, so 15 s (3.3 GB, 500,000 entries of a log of 3.5 million, took 17 s).
 * More would spare writing: after each checkpoint a page goes into the log whole when it is first changed.
 */
const LOG_TO_REPLAY = "3GB";

/**
 * Of the way to the next checkpoint, how much one may take. By half of it the next begins after two thirds of LOG_TO_REPLAY,
 * where PostgreSQL's own 0.9 has it begin after half. In a log of 3 million with 2 GB and 0.9 an entry cost 103 µs in PostgreSQL
 * (5.3 to 9 kB of its log, up to a whole page), so 89 (4.5 kB), in a small log 65.
 */
const CHECKPOINT_SPREAD = "0.5";

/** Durability is not left to postgresql.conf; the command line wins over it and over ALTER SYSTEM. */
function settings(socketDirectory: string): string[] {
  const values = {
    listen_addresses: "",
    unix_socket_directories: socketDirectory,
    unix_socket_permissions: "0700",
    port: "5432",
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    ...(process.platform === "darwin" ? { wal_sync_method: "fsync_writethrough" } : {}),
    max_connections: "100",
    jit: "off",
    ...memory(),
    max_wal_size: LOG_TO_REPLAY,
    checkpoint_timeout: "15min",
    checkpoint_completion_target: CHECKPOINT_SPREAD,
    log_line_prefix: "%m [%p] ",
    log_checkpoints: "off",
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/**
 * Keys that are hashes are spread over all of their index. With PostgreSQL's own settings (128 MB of buffers, 1 GB of
 * log) nearly every entry had index pages read back and written whole into the log: 6.3 kB for an entry of 1.4 kB in a
 * table of two million. Buffers are taken as they are used: a small installation has no more than it ever had.
 */
function memory(): Record<string, string> {
  const megabytes = Math.floor(Math.min(totalmem(), process.constrainedMemory() || Infinity) / 2 ** 20);
  return { shared_buffers: `${Math.max(128, Math.min(4096, Math.floor(megabytes / 8)))}MB`, wal_buffers: "16MB" };
}

/** The server's process, kept running until it is told to stop. */
export class ServerProcess {
  readonly #cluster: Cluster;
  readonly #data: string;
  readonly #log: FileHandle;
  readonly #warn: (text: string) => void;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #keeping: Promise<void> = Promise.resolve();

  private constructor(cluster: Cluster, log: FileHandle, warn: (text: string) => void) {
    this.#cluster = cluster;
    this.#warn = warn;
    this.#data = join(cluster.directory, "data");
    this.#log = log;
  }

  static async start(
    cluster: Cluster,
    log: FileHandle,
    { progress, warn }: { readonly progress: (text: string) => void; readonly warn: (text: string) => void },
  ): Promise<ServerProcess> {
    const server = new ServerProcess(cluster, log, warn);
    const { size } = await log.stat();
    const exited = server.#spawn();
    if (!(await server.#ready(exited, progress))) throw await startFailure(cluster.directory, size);
    server.#keeping = server.#keep(exited);
    return server;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#child?.stdin?.destroy();
    const late = delay(STOP_MS, "late" as const, { ref: false });
    if ((await Promise.race([this.#keeping, late])) !== "late") return;
    await stopOrphan(this.#data, () => {});
    await this.#keeping;
  }

  /** Resolves when the server is gone. */
  #spawn(): Promise<void> {
    const { account, binaries, socketDirectory } = this.#cluster;
    const name = nameForServer(this.#data, account);
    const command = [binaries.postgres, "-D", name, ...settings(socketDirectory)];
    const child = spawn("/bin/sh", ["-c", KEEPER, "sh", socketDirectory, ...command], {
      ...account,
      cwd: this.#data,
      env: serverEnvironment(),
      // A group of its own: Ctrl-C in our terminal is for us, and we stop the server after the drain.
      detached: true,
      stdio: ["pipe", "pipe", this.#log.fd],
    });
    this.#child = child;
    child.stdin?.on("error", () => {});
    child.on("error", () => {});
    return once(child, "close").then(
      () => {},
      () => {},
    );
  }

  /** False when the server ended instead. A recovery after a crash takes as long as it takes. */
  async #ready(exited: Promise<void>, progress: (text: string) => void): Promise<boolean> {
    const over = new AbortController();
    void exited.then(() => over.abort());
    const pid = await firstLine(this.#child, exited);
    const slow = setTimeout(() => progress("PostgreSQL is recovering from a crash"), 3_000);
    try {
      for (; !over.signal.aborted; await delay(POLL_MS)) {
        const file = await readPostmasterFile(this.#data);
        if (String(file?.pid) === pid && file?.status === "ready") return true;
      }
      return false;
    } finally {
      clearTimeout(slow);
    }
  }

  /** Resolves when the server is gone. One that will never run again is ended: started anew, it recovers. */
  async #untilEnded(exited: Promise<void>): Promise<void> {
    const over = new AbortController();
    const ended = exited.then(() => over.abort());
    let stalled = false;
    while (!over.signal.aborted) {
      await delay(LOOK_MS, undefined, { signal: over.signal, ref: false }).catch(() => {});
      const pid = over.signal.aborted ? undefined : (await readPostmasterFile(this.#data))?.pid;
      // Twice in a row: between its recovery and its work there is a moment without either process.
      const before = stalled;
      stalled = pid !== undefined && (await isStalled(pid));
      if (pid !== undefined && stalled && before && !this.#stopping.signal.aborted) killServer(pid);
    }
    await ended;
  }

  /**
   * Starts the server again whenever it ends unbidden. After a `kill -9` its workers may hold the shared memory
   * for some moments more, in which a new server refuses to start: hence the back-off.
   */
  async #keep(first: Promise<void>): Promise<void> {
    let exited = first;
    let wait = FIRST_RESTART_MS;
    for (;;) {
      const since = Date.now();
      await this.#untilEnded(exited);
      if (this.#stopping.signal.aborted) return;
      this.#warn(`PostgreSQL ended and is started again; why is in ${join(this.#cluster.directory, "postgres.log")}`);
      // The keeper may have died alone, and a new server refuses to start beside the old one.
      this.#child?.stdin?.destroy();
      await stopOrphan(this.#data, () => {}).catch(() => {});
      if (Date.now() - since > SETTLED_MS) wait = FIRST_RESTART_MS;
      await delay(wait, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopping.signal.aborted) return;
      wait = Math.min(wait * 2, LAST_RESTART_MS);
      exited = this.#spawn();
    }
  }
}

async function firstLine(child: ChildProcess | undefined, exited: Promise<void>): Promise<string | undefined> {
  if (child?.stdout == null) return undefined;
  const line = once(child.stdout, "data").then(([chunk]) => String(chunk).trim());
  return await Promise.race([line, exited.then(() => undefined)]);
}

/** SIGQUIT is its immediate shutdown, after which it recovers as after a crash. */
function killServer(pid: number): void {
  try {
    process.kill(pid, "SIGQUIT");
  } catch {
    // It ended by itself meanwhile.
  }
}

async function startFailure(directory: string, logStart: number): Promise<Misconfigured> {
  const path = join(directory, "postgres.log");
  const log = (await readFile(path)).subarray(logStart).toString("utf8");
  const reason = log.match(/(?<=(?:FATAL|PANIC): +).*/g)?.at(-1) ?? log.trim().split("\n").at(-1) ?? "no reason given";
  return new Misconfigured("CHANCERY_DATA", `PostgreSQL does not start, ${reason} (see ${path})`);
}
