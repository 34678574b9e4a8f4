import { RefusedToSign } from "@chancery/fault";
import type { LoggedEntry, LogReader } from "@chancery/log";

/** So many entries of a published tree, in which none is missing. */
export async function readPage(
  reader: Pick<LogReader, "entries">,
  start: bigint,
  count: number,
): Promise<LoggedEntry[]> {
  const entries = await reader.entries(start, count);
  while (entries.length < count) {
    const more = await reader.entries(start + BigInt(entries.length), count - entries.length);
    if (more.length === 0) throw new RefusedToSign("an entry of the published tree is missing from the database");
    entries.push(...more);
  }
  return entries;
}
