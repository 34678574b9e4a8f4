import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findClient, type RealClient } from "./real-clients.ts";

export interface ClientResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user's empty home folder, in which real clients run and keep what they were told to trust. */
export interface ClientHome extends AsyncDisposable {
  readonly folder: string;
  path(name: string): string;
  write(name: string, content: string | Uint8Array): Promise<string>;
  /** Runs a client; it throws with everything the client said unless it ends with 0. */
  run(client: RealClient, ...args: string[]): Promise<ClientResult>;
  /** Runs a client that must refuse: throws if it ends with 0. */
  refuse(client: RealClient, ...args: string[]): Promise<ClientResult>;
}

const CLIENT_TIMEOUT_MS = 90_000;

export async function clientHome(): Promise<ClientHome> {
  const folder = await mkdtemp(join(tmpdir(), "client-home-"));
  const path = (name: string) => join(folder, name);
  const execute = (client: RealClient, args: readonly string[]) => {
    const program = findClient(client);
    if (program === undefined) throw new Error(`there is no ${client} here`);
    return runProgram(program, args, folder);
  };
  return {
    folder,
    path,
    write: async (name, content) => {
      await writeFile(path(name), content);
      return path(name);
    },
    run: async (client, ...args) => {
      const result = await execute(client, args);
      if (result.code !== 0) throw new Error(said(client, args, result));
      return result;
    },
    refuse: async (client, ...args) => {
      const result = await execute(client, args);
      if (result.code === 0) throw new Error(`this should have been refused: ${said(client, args, result)}`);
      return result;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function runProgram(program: string, args: readonly string[], home: string): Promise<ClientResult> {
  const child = spawn(program, args, {
    cwd: home,
    // Nothing of the caller's trust or tokens reaches the client, only what the test wrote into its home.
    // A key that cosign makes has no password: there is no terminal to ask for one.
    env: { PATH: process.env["PATH"] ?? "", HOME: home, TUF_ROOT: join(home, ".sigstore/root"), COSIGN_PASSWORD: "" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: CLIENT_TIMEOUT_MS,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, stdout, stderr };
}

function said(client: RealClient, args: readonly string[], result: ClientResult): string {
  return `${client} ${args.join(" ")}\nended with ${result.code}\n${result.stdout}\n${result.stderr}`;
}
