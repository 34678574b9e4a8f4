import { expect, test } from "vitest";
import type { LoggedEntry } from "@chancery/log";
import { searchLog } from "../src/domain/search/log-search.ts";
import type { SearchedLog } from "../src/domain/search/searched-log.ts";
import { parseCondition } from "../src/domain/search/condition.ts";
import { encodeBeside } from "../src/domain/search/stored-facts.ts";
import { hashedrekord } from "./proposals.ts";
import { startSearch } from "./running-search.ts";

const MEGABYTES = 1024 * 1024;

test("entries with megabytes beside them that are not meant end a search before it has read gigabytes", async () => {
  await using rekor = await startSearch();
  await rekor.logged(await hashedrekord());
  const leaf = (await rekor.logs.rekor.entry(0n))?.leaf ?? new Uint8Array();
  const extra = encodeBeside({ statement: undefined, otherTexts: ["x".repeat(2 * MEGABYTES)], attestation: undefined });
  let [atOnce, most, read] = [0, 0, 0];
  const large = (index: bigint): LoggedEntry => ({ index, time: 1, identity: new Uint8Array(32), leaf, extra });
  const log = {
    lookup: {
      find: async () => ({ indexes: Array.from({ length: 64 }, (_, at) => 63n - BigInt(at)), reached: undefined }),
      entries: async (indexes: readonly bigint[], bytes: number) =>
        indexes.map((index) => ({ ...large(index), extra: extra.subarray(0, bytes), extraLength: extra.length })),
    },
    entry: async (index: bigint) => {
      most = Math.max(most, ++atOnce);
      read++;
      await Promise.resolve();
      atOnce--;
      return large(index);
    },
  };
  const searched = { name: "rekor", log, entryId: () => "", logId: new Uint8Array() } as unknown as SearchedLog;
  const search = { groups: [[parseCondition("issuer", "https://no.one")]], order: "newest", limit: 50 } as const;
  const answer = await searchLog(searched, search, { begin: 0n, end: 64n });
  expect({ most, read }).toEqual({ most: 1, read: 8 });
  // Where it stopped the next search goes on.
  expect(answer).toEqual({ found: [], rest: { begin: 0n, end: 56n }, lookedAt: 1 });
});
