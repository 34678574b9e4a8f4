import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Misconfigured } from "@chancery/fault";
import type { Account } from "./account.ts";
import type { Binaries } from "./binaries.ts";

/** Where everything of one embedded server lies. */
export interface Cluster {
  readonly directory: string;
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  readonly socketDirectory: string;
}

const run = promisify(execFile);
const LARGEST_LOG = 16 * 1024 * 1024;

/**
 * How PostgreSQL is to call its data directory. Its account may not be able to walk to the true path
 * (below a 0700 /root), but we start it with that folder as its working directory, where it stays; the
 * link leads there without a walk.
 */
export function nameForServer(dataDirectory: string, account: Account | undefined): string {
  return account !== undefined && process.platform === "linux" ? "/proc/self/cwd" : dataDirectory;
}

/** Nothing of our own environment (PGDATA, PGHOST, LC_ALL) reaches the server. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
}

/**
 * initdb, once. It happens in `data.new`, renamed when all is done: a crash half-way leaves no cluster,
 * and the next start begins anew.
 */
export async function createCluster(
  cluster: Cluster,
  password: string,
  progress: (text: string) => void,
): Promise<void> {
  const data = join(cluster.directory, "data");
  if ((await stat(data).catch(() => undefined)) !== undefined) return;
  progress("creating the database (first start only)");
  const unfinished = `${data}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  const { account } = cluster;
  if (account !== undefined) await chown(unfinished, account.uid, account.gid);
  const passwordFile = join(cluster.socketDirectory, "password");
  await writeFile(passwordFile, password, { mode: 0o600, flag: "wx" });
  try {
    if (account !== undefined) await chown(passwordFile, account.uid, account.gid);
    await initialise(cluster, unfinished, passwordFile);
  } finally {
    await rm(passwordFile);
  }
  await rename(unfinished, data);
  await syncDirectory(cluster.directory);
}

async function initialise(cluster: Cluster, directory: string, passwordFile: string): Promise<void> {
  const { account, binaries } = cluster;
  const name = nameForServer(directory, account);
  const options = { ...account, cwd: directory, env: serverEnvironment() };
  // prettier-ignore
  const initdb = [
    "--pgdata", name, "--username", "chancery", "--auth", "scram-sha-256", "--pwfile", passwordFile,
    "--encoding", "UTF8", "--locale", "C", "--data-checksums",
  ];
  try {
    await run(binaries.initdb, initdb, options);
    // Single-user mode, so that the rename below publishes a cluster with its database in it.
    const single = run(binaries.postgres, ["--single", "-D", name, "-c", "fsync=on", "postgres"], options);
    single.child.stdin?.end("CREATE DATABASE chancery\n");
    await single;
  } catch (cause) {
    const reason = (cause as { stderr?: string }).stderr?.trim().split("\n").slice(-3).join(" ");
    throw new Misconfigured("CHANCERY_DATA", `initdb failed in ${directory}: ${reason ?? "it did not run"}`, { cause });
  }
}

/** Made once; read by us only. PostgreSQL keeps a SCRAM verifier of it. */
export async function ownPassword(directory: string): Promise<string> {
  const path = join(directory, "password");
  const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    // A new one in the place of one that cannot be read now would lock us out of the cluster.
    if (error.code === "ENOENT") return "";
    throw new Misconfigured("CHANCERY_DATA", `${path} cannot be read (${error.code})`, { cause: error });
  });
  if (known !== "") return known.trim();
  const password = randomBytes(24).toString("base64url");
  await writeFile(`${path}.new`, `${password}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
  await syncDirectory(directory);
  return password;
}

/** The server's own messages. One older file is kept. */
export async function openLogFile(directory: string): Promise<FileHandle> {
  const path = join(directory, "postgres.log");
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size > LARGEST_LOG) await rename(path, `${path}.1`);
  return await open(path, "a", 0o600);
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
