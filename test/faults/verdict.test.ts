import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../libs/postgres/src/index.ts";
import type { Journal } from "./rig/journal.ts";
import { type FaultLog, FaultSite, LOG } from "./rig/site.ts";
import { FLAWLESS, judge, type Verdict } from "./rig/verdict.ts";

/** The judge of all other suites, who must not be one that finds everyone innocent. */
let site: FaultSite;
let base: FaultLog;

beforeAll(async () => {
  site = await FaultSite.open();
  base = await site.log();
  await using db = await Database.open(base.url, { max: 2 });
  const log = await base.open(db, { create: true });
  for (let batch = 0; batch < 5; batch++) {
    await base.append(log, [`${batch}.1`, `${batch}.2`, `${batch}.3`]);
  }
  await log.close();
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

async function verdictOn(tamper: { journal?: (journal: Journal) => void; sql?: string }): Promise<Verdict> {
  const log = await site.log(base);
  tamper.journal?.(log.journal);
  await using db = await Database.open(log.url, { max: 1 });
  // What the log's own triggers refuse, a failing disk does.
  await db.query("SET session_replication_role = replica");
  await db.query("GRANT UPDATE, DELETE ON ALL TABLES IN SCHEMA log TO CURRENT_USER");
  if (tamper.sql !== undefined) await db.query(tamper.sql);
  return await judge(db, LOG, log.journal);
}

test("a log that was not tampered with is flawless", async () => {
  expect(await verdictOn({})).toMatchObject({ ...FLAWLESS, entries: 15, acknowledged: 15 });
});

test("an acknowledged entry that is not there is lost, and so is one that is another", async () => {
  expect(await verdictOn({ sql: "DELETE FROM log.entry WHERE index = 14" })).toMatchObject({ lost: 1, forked: 1 });
  expect(await verdictOn({ sql: "UPDATE log.entry SET leaf = 'x' WHERE index = 14" })).toMatchObject({ lost: 1 });
});

test("a signed head of another history is a fork, and so is one that nothing has grown to", async () => {
  const heads = [
    { size: 5n, root: "00".repeat(32), time: 0 },
    { size: 99n, root: "00".repeat(32), time: Number.MAX_SAFE_INTEGER },
  ];
  expect(await verdictOn({ journal: ({ signed }) => void signed.push(...heads) })).toMatchObject({ forked: 2 });
});

test("a missing index is a gap", async () => {
  expect((await verdictOn({ sql: "DELETE FROM log.entry WHERE index = 7" })).gaps).toBeGreaterThan(0);
});

test("an entry that stands there twice is a duplicate, and so is one that was told two places", async () => {
  const copy = "INSERT INTO log.entry SELECT 15, time, log, identity, leaf, extra FROM log.entry WHERE index = 3";
  expect(await verdictOn({ sql: copy })).toMatchObject({ duplicates: 1 });
  const elsewhere = verdictOn({
    journal: ({ acknowledged }) => void acknowledged.push({ ...acknowledged[3]!, index: 4n }),
  });
  expect(await elsewhere).toMatchObject({ duplicates: 1, lost: 1 });
});

test("a larger tree of an earlier time, or of the same, is told", async () => {
  const earlier = verdictOn({ journal: ({ signed }) => void signed.push({ ...signed.at(-1)!, time: 1 }) });
  expect(await earlier).toMatchObject({ backwards: 1 });
  const atOnce = verdictOn({
    journal: ({ signed, acknowledged }) => {
      signed.splice(0, Infinity, ...signed.map((head) => ({ ...head, time: 1 })));
      acknowledged.length = 0;
    },
  });
  // Of the empty tree and five batches each but the first.
  expect(await atOnce).toMatchObject({ backwards: 5 });
});

test("an entry without its lookup is unfindable", async () => {
  expect(await verdictOn({ sql: "DELETE FROM log.search WHERE place & 1099511627775 = 2" })).toMatchObject({
    unfindable: 1,
  });
  expect(await verdictOn({ sql: "DELETE FROM log.identity WHERE index = 2" })).toMatchObject({ unfindable: 1 });
});
