import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { unprivilegedAccount } from "./embedded/account.ts";
import { locateBinaries } from "./embedded/binaries.ts";
import { createCluster, openLogFile, ownPassword } from "./embedded/cluster.ts";
import { lockDirectory } from "./embedded/directory-lock.ts";
import { stopOrphan } from "./embedded/orphan.ts";
import { ServerProcess } from "./embedded/server-process.ts";
import { createSocketDirectory } from "./embedded/socket-directory.ts";

/** A PostgreSQL of our own, reachable only through a socket in a private folder. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string;
  /** Fast shutdown: running transactions are rolled back, everything committed is on disk when it resolves. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Holds `data/` (the cluster), `password`, `postgres.log` and `lock`. Made on the first start. */
  readonly directory: string;
  readonly progress?: (text: string) => void;
  /** Told when the server ended unbidden. */
  readonly warn?: (text: string) => void;
}

/**
 * Starts PostgreSQL 18 on a directory. One process at a time: a second is refused, and a crash releases the
 * directory. The server ends with this process however that ends, and is started again when it ends first.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(directory);
  try {
    return await startLocked(directory, options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startLocked(
  directory: string,
  { progress = () => {}, warn = () => {} }: EmbeddedOptions,
  lock: { release(): void },
): Promise<EmbeddedPostgres> {
  const data = join(directory, "data");
  const account = await unprivilegedAccount(data);
  const binaries = await locateBinaries(account, progress);
  await stopOrphan(data, progress);
  const socketDirectory = await createSocketDirectory(directory, account);
  const cluster = { directory, binaries, account, socketDirectory };
  const password = await ownPassword(directory);
  await createCluster(cluster, password, progress);
  progress("starting PostgreSQL");
  const log = await openLogFile(directory);
  let stopped: Promise<void> | undefined;
  try {
    const server = await ServerProcess.start(cluster, log, { progress, warn });
    const end = async () => {
      await server.stop();
      await log.close();
      await rm(socketDirectory, { recursive: true, force: true });
      lock.release();
    };
    const stop = () => (stopped ??= end());
    const url = `postgres://chancery:${password}@/chancery?host=${encodeURIComponent(socketDirectory)}`;
    return { url, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await log.close();
    await rm(socketDirectory, { recursive: true, force: true });
    throw error;
  }
}
