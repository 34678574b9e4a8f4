import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = join(import.meta.dirname, "../../../services/chancery/dist/main.js");
const READY_WITHIN_MS = 60_000;

export interface ChanceryOptions {
  /** A folder of an earlier start, to find its keys and log again. */
  readonly data?: string;
  readonly port?: number;
  readonly args?: readonly string[];
  /** Flags of Node itself. */
  readonly node?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the auditor runs beside the services; by default not, since it adds entries of its own. */
  readonly auditor?: "on" | "off";
  /** "alive" for a start that is not meant to become ready: it is refused, and says so. */
  readonly until?: "ready" | "alive";
}

/** `GET /api/v1/log`, the part that tests compare. */
export interface LogState {
  readonly treeID: string;
  readonly treeSize: number;
  readonly rootHash: string;
}

/** The built program as a user runs it: its own process, embedded PostgreSQL, a folder of its own. */
export interface ChanceryProcess extends AsyncDisposable {
  readonly url: string;
  readonly data: string;
  readonly port: number;
  readonly pid: number;
  /** All it has printed so far. */
  output(): string;
  /** A ten-minute token of the development identity provider. */
  token(email?: string): Promise<string>;
  logState(): Promise<LogState>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL: nothing gets the chance to tidy up. */
  kill(): Promise<void>;
  /** Starts again on the same folder and port. */
  again(): Promise<ChanceryProcess>;
}

export async function startChancery(options: ChanceryOptions = {}): Promise<ChanceryProcess> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), "chancery-")));
  const port = options.port ?? (await freePort());
  const child = spawn(
    process.execPath,
    [...(options.node ?? []), MAIN, "serve", "--port", String(port), "--data", data, ...(options.args ?? [])],
    {
      env: { ...cleanEnvironment(), CHANCERY_AUDITOR: options.auditor ?? "off", ...options.env },
      // By the channel it hears of our end, whatever that was, and ends too.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    },
  );
  const printed: string[] = [];
  child.stdout?.on("data", (chunk: Buffer) => printed.push(chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => printed.push(chunk.toString()));
  const output = () => printed.join("");
  const url = `http://localhost:${port}`;
  await untilAnswered(`${url}/${options.until === "alive" ? "livez" : "readyz"}`, child, output);

  const stop = () => end(child, "SIGTERM");
  return {
    url,
    data,
    port,
    pid: child.pid ?? Number.NaN,
    output,
    token: async (email = "dev@example.com") => {
      const answer = await fetch(`${url}/idp/token?email=${encodeURIComponent(email)}`);
      if (!answer.ok) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
      return (await answer.text()).trim();
    },
    logState: async () => {
      const state = (await (await fetch(`${url}/api/v1/log`)).json()) as LogState;
      return { treeID: state.treeID, treeSize: state.treeSize, rootHash: state.rootHash };
    },
    stop,
    kill: async () => {
      await end(child, "SIGKILL");
    },
    again: () => startChancery({ ...options, data, port }),
    [Symbol.asyncDispose]: async () => {
      await stop();
      if (options.data === undefined) await rm(data, { recursive: true, force: true });
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function untilAnswered(url: string, child: ChildProcess, output: () => string): Promise<void> {
  const giveUp = Date.now() + READY_WITHIN_MS;
  let last = "";
  while (Date.now() < giveUp) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`chancery ended with ${child.exitCode ?? child.signalCode}:\n${output()}`);
    }
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(3_000) });
      last = await answer.text();
      if (answer.ok) return;
    } catch (error) {
      last = String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill("SIGKILL");
  throw new Error(`chancery was not ready within ${READY_WITHIN_MS} ms (${last}):\n${output()}`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  child.kill(signal);
  return ended;
}

/** This process's environment less what would change what is tested. */
export function cleanEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !/^(CHANCERY_|SIGSTORE_|COSIGN_|TUF_|VITEST|NODE_OPTIONS)/.test(entry[0]),
    ),
  );
}
