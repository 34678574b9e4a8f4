import { encodeHex } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import type { LogName } from "../installation.ts";
import type { Begun } from "./begun.ts";
import { ENTRY_COLUMNS, entryShape } from "./entry-lines.ts";
import { type EntryRange, entrySource, exportedLog, indexAt } from "./entry-source.ts";
import type { Filters } from "./filters.ts";
import { verifyExportedHead } from "./log-keys.ts";
import type { ExportedLog } from "./manifest.ts";
import { logReader, publishedLog, type Site } from "./site.ts";
import type { Source } from "./source.ts";

/** The logs that hold signatures, in the order they are exported. */
const LOGS = ["rekor", "rekor-v2"] as const satisfies readonly LogName[];

/** What is published now, and of it what was logged in the time that is asked for. */
export async function beginEntries(site: Site, filters: Filters): Promise<Pick<Begun, "logs" | "range">> {
  const unknown = filters.log?.find((name) => !LOGS.some((log) => log === name));
  if (unknown !== undefined) throw new Misconfigured("--log", `${unknown} is none of ${LOGS.join(", ")}`);
  const asked = LOGS.filter((name) => filters.log?.includes(name) ?? true);
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

export async function openEntries(site: Site, { logs, format }: Begun): Promise<Source> {
  const ranges = await Promise.all(logs.map((log) => rangeOf(site, log)));
  return entrySource(ranges, format, ENTRY_COLUMNS);
}

async function rangeOf(site: Site, log: ExportedLog): Promise<EntryRange> {
  const { from = "0", to = log.size, ...rest } = log;
  const reader = await logReader(site, log.log);
  const treeId = log.log === "rekor" ? site.treeId.toString(16).padStart(16, "0") : "";
  const shape = entryShape(log.log, (leafHash) => treeId + encodeHex(leafHash));
  return { log: rest, reader, begin: BigInt(from), end: BigInt(to), shape };
}
