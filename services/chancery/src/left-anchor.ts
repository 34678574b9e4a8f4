import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { countedEntries } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { type Anchor, FileAnchor } from "@chancery/log";
import type { LogName } from "./installation.ts";
import { ANCHOR, type Folders } from "./settings-sources.ts";

/**
 * An anchor left behind in the data folder is of no force once the setting names another place, but it remembers. Where it
 * knows a later head than the one that counts, that one is a copy which the log has outgrown: with a database put back to
 * the time of the copy nothing else would tell.
 */
export async function refuseOutgrown({ data, anchor: folder }: Folders, name: LogName, anchor: Anchor): Promise<void> {
  const before = join(data, ANCHOR);
  if (before === folder || !(await isThere(join(before, name)))) return;
  const [left, own] = [await (await FileAnchor.open(before, name)).read(), await anchor.read()];
  // One that is missing is refused by the log itself.
  if (left === undefined || own === undefined) return;
  const isLater = left.frozen === true && own.frozen !== true ? left.time >= own.time : left.time > own.time;
  if (left.size < own.size || (left.size === own.size && !isLater)) return;
  throw new Misconfigured(
    "CHANCERY_ANCHOR",
    `${join(folder, name)} knows a tree of ${countedEntries(own.size)}, and ${join(before, name)} a later one of ${left.size}: it is a copy that the log has outgrown; stop every chancery on this log and move ${before} there`,
  );
}

async function isThere(folder: string): Promise<boolean> {
  const names: readonly string[] = await readdir(folder).catch(() => []);
  return names.length > 0;
}
