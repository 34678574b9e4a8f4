import { chown, lstat, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Account, canReach } from "./account.ts";

/** sun_path holds 108 bytes with its NUL on Linux, 104 on macOS. */
const LONGEST_SOCKET_PATH = 103;
const PREFIX = "chancery-";
const SOCKET = `/${PREFIX}XXXXXX/.s.PGSQL.5432.lock`;

/**
 * A short 0700 folder of PostgreSQL's account for its socket. Not in the data directory, whose path may
 * be too long for a socket and not open to that account. Its name is noted, so that the start after a
 * crash removes it.
 */
export async function createSocketDirectory(directory: string, account: Account | undefined): Promise<string> {
  const note = join(directory, "socket-directory");
  await removeLast(note, account);
  for (const parent of [tmpdir(), "/tmp", "/var/tmp"]) {
    const fits = Buffer.byteLength(parent + SOCKET) <= LONGEST_SOCKET_PATH;
    if (!fits || !(await canReach(account, parent).catch(() => false))) continue;
    const path = await mkdtemp(join(parent, PREFIX));
    if (account !== undefined) await chown(path, account.uid, account.gid);
    await writeFile(note, path, { mode: 0o600 });
    return path;
  }
  throw new Error("no folder for temporary files is open to PostgreSQL's account and has a short path");
}

async function removeLast(note: string, account: Account | undefined): Promise<void> {
  const last = await readFile(note, "utf8").catch(() => "");
  if (!/\/chancery-[A-Za-z0-9]{6}$/.test(last)) return;
  const found = await lstat(last).catch(() => undefined);
  if (found?.isDirectory() !== true || found.uid !== (account?.uid ?? process.getuid?.())) return;
  await rm(last, { recursive: true, force: true });
}
