import { readFile } from "node:fs/promises";

/** One of them is always there: whoever replays the log, or, once that is done, who writes it. */
const NEEDED = /^postgres: (startup|walwriter)\b/;

/**
 * Does this server neither recover nor run? Where the disk is full, the process that recovers PostgreSQL ends, and if it
 * ends at the moment at which it reports its first step, the server goes on waiting for it (seen with 18.4: "not yet
 * accepting connections", for ever). False where /proc does not tell.
 */
export async function isStalled(postmaster: number): Promise<boolean> {
  const children = await read(`/proc/${postmaster}/task/${postmaster}/children`);
  if (children === undefined) return false;
  const titles = await Promise.all(
    children
      .trim()
      .split(" ")
      .filter(Boolean)
      .map((pid) => read(`/proc/${pid}/cmdline`)),
  );
  return !titles.some((title) => title !== undefined && NEEDED.test(title));
}

async function read(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}
