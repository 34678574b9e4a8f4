import { RefusedToSign } from "@chancery/fault";
import type { LoggedEntry, LogReader } from "@chancery/log";

/**
 * So many entries of a published tree, in which none is missing. Beside each may stand 10 MiB: they come as the log reads
 * them, and the next are read when these are written. The first are on their way at once.
 */
export function readPage(
  reader: Pick<LogReader, "entries">,
  start: bigint,
  count: number,
): AsyncIterable<readonly LoggedEntry[]> {
  const first = reader.entries(start, count);
  // Awaited in its turn; until then a failure of it is nobody's.
  first.catch(() => {});
  return readOn(reader, first, start, start + BigInt(count));
}

async function* readOn(
  reader: Pick<LogReader, "entries">,
  first: Promise<readonly LoggedEntry[]>,
  start: bigint,
  end: bigint,
): AsyncGenerator<readonly LoggedEntry[]> {
  let next = start;
  for (let reading = first; ; reading = reader.entries(next, Number(end - next))) {
    const entries = await reading;
    if (entries.length === 0) throw new RefusedToSign("an entry of the published tree is missing from the database");
    yield entries;
    next += BigInt(entries.length);
    if (next >= end) return;
  }
}
