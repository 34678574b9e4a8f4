import type { Stats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Misconfigured } from "@chancery/fault";

/** Whom PostgreSQL runs as when we are root, which it refuses to be. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** POSIX's "no one", where the account table names neither `postgres` nor `nobody`. */
const NOBODY: Account = { uid: 65_534, gid: 65_534 };

/**
 * Undefined when we are an ordinary user: PostgreSQL then runs as us. For root it is the owner of the
 * cluster, or, before there is one, an account that exists for such things.
 */
export async function unprivilegedAccount(dataDirectory: string): Promise<Account | undefined> {
  const owner = await stat(dataDirectory).catch(() => undefined);
  const self = process.getuid?.();
  if (self === 0) return owner !== undefined && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : namedAccount();
  if (owner !== undefined && owner.uid !== self) {
    throw new Misconfigured("CHANCERY_DATA", `${dataDirectory} belongs to user ${owner.uid}, this is user ${self}`);
  }
  return undefined;
}

async function namedAccount(): Promise<Account> {
  const lines = (await readFile("/etc/passwd", "utf8").catch(() => "")).split("\n").map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = lines.find(([account]) => account === name) ?? [];
    // macOS writes nobody's -2, which the kernel takes as an unsigned 32-bit number.
    if (Number(uid) !== 0 && uid !== undefined) return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
  }
  return NOBODY;
}

/** Can the account walk into this folder, through all that lie above it (a 0700 /root, for one)? */
export async function canReach(account: Account | undefined, directory: string): Promise<boolean> {
  if (account === undefined) return true;
  for (let path = directory; ; path = dirname(path)) {
    if (!maySearch(account, await stat(path))) return false;
    if (path === dirname(path)) return true;
  }
}

function maySearch(account: Account, directory: Stats): boolean {
  if (directory.uid === account.uid) return (directory.mode & 0o100) !== 0;
  if (directory.gid === account.gid) return (directory.mode & 0o010) !== 0;
  return (directory.mode & 0o001) !== 0;
}
