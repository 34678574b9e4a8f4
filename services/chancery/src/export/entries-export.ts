import { namedLog } from "@chancery/rekor/search";
import type { LogName } from "../installation.ts";
import type { Begun } from "./begun.ts";
import { type EntryRange, entrySource, exportedLog, indexAt } from "./entry-source.ts";
import { type Filters, searchOf } from "./filters.ts";
import { inThisThread, inThreads, threadsFor } from "./line-makers.ts";
import { verifyExportedHead } from "./log-keys.ts";
import { logReader } from "./log-reader.ts";
import { publishedLog, type Site } from "./site.ts";
import type { Source } from "./source.ts";

/** The logs that hold signatures, in the order they are exported. */
const LOGS = ["rekor", "rekor-v2"] as const satisfies readonly LogName[];

/** What is published now, and of it what was logged in the time that is asked for. */
export async function beginEntries(site: Site, filters: Filters): Promise<Pick<Begun, "logs" | "range">> {
  const asked = LOGS.filter((name) => filters.all["log"]?.includes(name) ?? true);
  const logs = await Promise.all(
    asked.map(async (name) => {
      const { reader, key, checkpoint } = await publishedLog(site, name);
      const log = exportedLog(name, site.origins[name], checkpoint);
      const { size } = verifyExportedHead(log, key);
      const from = filters.range.from === undefined ? 0n : await indexAt(reader, size, filters.range.from);
      const to = filters.range.to === undefined ? size : await indexAt(reader, size, filters.range.to);
      return Object.assign(log, { from: String(from), to: String(to < from ? from : to) });
    }),
  );
  return { logs, range: { from: 0, to: 0 } };
}

export async function openEntries(
  site: Site,
  { logs, format, filters }: Begun,
  threads: number | undefined,
): Promise<Source> {
  const search = searchOf(filters);
  const ranges = logs.map(async (log): Promise<EntryRange> => {
    const { from = "0", to = log.size, ...rest } = log;
    const name = log.log;
    if (name === "ctlog") throw new TypeError("the CT log holds no signatures");
    const [begin, end] = [BigInt(from), BigInt(to)];
    const isRead = format !== "bare" || search.groups.length > 0;
    const count = threads ?? (isRead ? threadsFor(end - begin) : 0);
    const reader = await logReader(site.db, name);
    const { databaseUrl } = site;
    const maker = () =>
      count === 0
        ? inThisThread({ log: namedLog(name, site.treeId), search, format }, reader)
        : inThreads({ log: name, treeId: String(site.treeId), filters, format, databaseUrl }, count);
    return { log: rest, reader, begin, end, maker };
  });
  return entrySource(await Promise.all(ranges), format);
}
