import { decodeHex, encodeHex } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import type { LogReader, PublishedCheckpoint } from "@chancery/log";
import { csvRecord } from "./csv.ts";
import { ENTRY_COLUMNS } from "./entry-lines.ts";
import type { LineMaker, MadeLines } from "./line-makers.ts";
import type { ExportedLog } from "./manifest.ts";
import type { Format, Lines, Position, Source } from "./source.ts";
import { TreeCheck } from "./tree-check.ts";

/** A log as it is exported: what was published when the export began, and a range of it. */
export interface EntryRange {
  readonly log: ExportedLog;
  readonly reader: Pick<LogReader, "entries" | "tiles">;
  readonly begin: bigint;
  readonly end: bigint;
  /** Begins whatever it needs when the range is reached. */
  readonly maker: () => LineMaker;
}

/** Entries read at a time, and how many such pages are on their way beside one for each thread. */
const PAGE = 256;
const AHEAD = 2;

/**
 * The entries of some ranges, log by log, in their order. Every entry of a range is read, also those that no filter
 * lets through, and all of them together have to be what the checkpoint signed: an export that leaves something out
 * because an index does not know it, or that holds something else than was logged, is not signed for.
 */
export function entrySource(ranges: readonly EntryRange[], format: Format): Source {
  const sizes = ranges.map(({ begin, end }) => end - begin);
  return {
    head: format === "csv" ? csvRecord(ENTRY_COLUMNS) : "",
    total: sizes.reduce((sum, size) => sum + size, 0n),
    step: "entries",
    logs: ranges.map(({ log, begin, end }) => ({ ...log, from: String(begin), to: String(end) })),
    async *lines(after): AsyncGenerator<Lines> {
      const first = after === undefined ? 0 : ranges.findIndex(({ log }) => log.log === after["log"]);
      for (const [at, range] of ranges.entries()) {
        if (at < first) continue;
        const before = sizes.slice(0, at).reduce((sum, size) => sum + size, 0n);
        const place = at === first && after !== undefined ? after : undefined;
        yield* linesOf(range, place, before);
      }
    },
  };
}

async function* linesOf(
  { log, reader, begin, end, maker }: EntryRange,
  after: Position | undefined,
  before: bigint,
): AsyncGenerator<Lines> {
  const head = { size: BigInt(log.size), root: decodeHex(log.root, "state") };
  const start = after === undefined ? begin : BigInt(String(after["next"]));
  const check =
    after === undefined
      ? await TreeCheck.from(start, reader, head)
      : TreeCheck.resume({ size: start, edge: edgeOf(after) }, reader, head);
  await using lines = maker();
  for await (const { bytes, count, leafHashes } of pages(lines, start, end)) {
    check.add(leafHashes);
    const { size, edge } = check.edge;
    const position = { log: log.log, next: String(size), edge: edge.map(encodeHex) };
    yield { bytes, count, position, done: before + size - begin };
  }
  await check.finish();
}

function edgeOf({ edge }: Position): Uint8Array[] {
  return Array.isArray(edge) ? edge.map((hash: string) => decodeHex(hash, "state")) : [];
}

/** While one page is written, the next are read and made into lines. */
async function* pages(lines: LineMaker, start: bigint, end: bigint): AsyncGenerator<MadeLines> {
  const making: Promise<MadeLines>[] = [];
  let asked = start;
  const ask = () => {
    if (asked >= end) return;
    const count = end - asked < BigInt(PAGE) ? Number(end - asked) : PAGE;
    const page = lines.make(asked, count);
    // Awaited in its turn; until then a failure of it is nobody's.
    page.catch(() => {});
    making.push(page);
    asked += BigInt(count);
  };
  for (let at = 0; at <= AHEAD + lines.threads; at++) ask();
  for (let next = making.shift(); next !== undefined; next = making.shift()) {
    const page = await next;
    ask();
    yield page;
  }
}

/** The first index whose entry is not before `time`: times never decrease along a log. */
export async function indexAt(reader: Pick<LogReader, "entries">, size: bigint, time: number): Promise<bigint> {
  let [low, high] = [0n, size];
  while (low < high) {
    const middle = (low + high) / 2n;
    const [entry] = await reader.entries(middle, 1);
    if (entry === undefined) throw new RefusedToSign(`entry ${middle} is missing from the database`);
    if (entry.time < time) low = middle + 1n;
    else high = middle;
  }
  return low;
}

export function exportedLog(
  name: ExportedLog["log"],
  origin: string,
  { head, note }: PublishedCheckpoint,
  first = 0n,
): ExportedLog {
  const checkpoint = new TextDecoder().decode(note);
  const told = { log: name, origin, size: String(head.size), root: encodeHex(head.root), checkpoint };
  return first === 0n ? told : { ...told, first: String(first) };
}
