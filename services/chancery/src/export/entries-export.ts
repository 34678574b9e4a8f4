import { RefusedToSign } from "@chancery/fault";
import { firstEarlier, type LogReader } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { isRekorShard, type LogName } from "../log-names.ts";
import { logNamesOf, logOrigin, rekorShardsOf } from "../log-origins.ts";
import type { Begun } from "./begun.ts";
import { type EntryRange, entrySource, exportedLog, indexAt } from "./entry-source.ts";
import { type Filters, searchOf } from "./filters.ts";
import { inThisThread, inThreads, nameEntries, threadsFor } from "./line-makers.ts";
import { verifyExportedHead } from "./log-keys.ts";
import { logReader } from "./log-reader.ts";
import { publishedLog, type Site } from "./site.ts";
import type { Source } from "./source.ts";

/** What is published now, and of it what was logged in the time that is asked for. */
export async function beginEntries(site: Site, filters: Filters): Promise<Pick<Begun, "logs" | "range">> {
  // Those that hold signatures; the shards of the v1 log go by its name.
  const asked = logNamesOf(site.installation)
    .filter((name) => name !== "ctlog")
    .filter((name) => filters.all["log"]?.includes(isRekorShard(name) ? "rekor" : name) ?? true);
  const logs = await Promise.all(
    asked.map(async (name) => {
      const { reader, key, checkpoint } = await publishedLog(site, name);
      const log = exportedLog(name, logOrigin(site.installation, name), checkpoint, firstOf(site, name));
      const { size } = verifyExportedHead(log, key);
      const range = await rangeOf(reader, size, filters.range);
      if (range.from > 0n || range.to < size) await requireOrdered(site.db, name, range, size);
      return Object.assign(log, { from: String(range.from), to: String(range.to) });
    }),
  );
  return { logs, range: { from: 0, to: 0 } };
}

interface IndexRange {
  readonly from: bigint;
  readonly to: bigint;
}

async function rangeOf(reader: LogReader, size: bigint, { from, to }: Filters["range"]): Promise<IndexRange> {
  const first = from === undefined ? 0n : await indexAt(reader, size, from);
  const end = to === undefined ? size : await indexAt(reader, size, to);
  return { from: first, to: end < first ? first : end };
}

/** Entries on either side of a range whose times have to be in order, too. */
const MARGIN = 50_000n;

/**
 * Times are under no hash, and the range was found by them: a time that was moved leads away from entries that belong into
 * it. A log never signs an earlier time than the one before, so that one moved time stands out among its neighbours.
 */
async function requireOrdered(db: Database, log: LogName, { from, to }: IndexRange, size: bigint): Promise<void> {
  const first = from < MARGIN ? 0n : from - MARGIN;
  const end = to + MARGIN < size ? to + MARGIN : size;
  const earlier = await firstEarlier(db, log, first, end);
  if (earlier === undefined) return;
  throw new RefusedToSign(
    `the times of ${log} are not in order: entry ${earlier} has an earlier one than the entry before it. The database was changed, and which entries are of a time cannot be told; without --from and --to all are exported`,
  );
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
    const shard = rekorShardsOf(site.installation).find((each) => each.name === name);
    const maker = () =>
      count === 0
        ? inThisThread({ log: nameEntries(shard), search, format }, reader)
        : inThreads({ log: name, shard, filters, format, databaseUrl }, count);
    return { log: rest, reader, begin, end, maker };
  });
  return entrySource(await Promise.all(ranges), format);
}

function firstOf({ installation }: Site, name: LogName): bigint {
  return rekorShardsOf(installation).find((shard) => shard.name === name)?.first ?? 0n;
}
