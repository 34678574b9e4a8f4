import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * The data folder of an installation that is stopped, keys, database and all, to a place where there is nothing yet. With the
 * owners of its files, without which PostgreSQL takes none of them.
 */
export async function copyInstallation(data: string, to: string): Promise<void> {
  await promisify(execFile)("cp", ["-a", data, to]);
}
