import { RefusedToSign } from "@chancery/fault";
import type { LoggedEntry } from "@chancery/log";
import { expect, test } from "vitest";
import { readPage } from "../src/export/entry-page.ts";

const nothing = new Uint8Array();
const entry = (index: bigint): LoggedEntry => ({ index, time: 1, identity: nothing, leaf: nothing, extra: nothing });

/** A log that has so many entries and reads two at a time, as where megabytes stand beside each. */
function readerOf(size: number) {
  const asked: bigint[] = [];
  const entries = async (start: bigint, count: number) => {
    asked.push(start);
    const found = Math.max(0, Math.min(2, count, size - Number(start)));
    return Array.from({ length: found }, (_, at) => entry(start + BigInt(at)));
  };
  return { asked, entries };
}

test("a page of entries with megabytes beside them is never in memory at once, and comes whole", async () => {
  const reader = readerOf(9);
  const read: bigint[] = [];
  const page = readPage(reader, 3n, 5);
  expect(reader.asked).toEqual([3n]);
  for await (const entries of page) {
    read.push(...entries.map(({ index }) => index));
    expect(reader.asked.at(-1)).toBe(entries[0]?.index);
  }
  expect(read).toEqual([3n, 4n, 5n, 6n, 7n]);
  expect(reader.asked).toEqual([3n, 5n, 7n]);
});

test.for([0, 4, 7])("a page of five that ends after %i entries of the log is refused", async (size) => {
  const all = async () => {
    for await (const _ of readPage(readerOf(size), 3n, 5));
  };
  await expect(all()).rejects.toThrow(RefusedToSign);
});
