import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AuditStatus } from "@chancery/auditor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chancery } from "./export-world.ts";
import { deleted, failing, openAlarms, openTroubles, type Statement, TamperedStack } from "./tampered-stack.ts";

/*
 * What somebody with the database's password would change to hide something, because no hash covers it.
 */

const V1 = 300;

let world: TamperedStack;
let rekor: number;
beforeAll(async () => {
  world = await TamperedStack.start();
  for (let batch = 0; batch < 3; batch++) await world.logV1(V1 / 3);
  rekor = await world.logId("rekor");
  await world.issue(3);
  // A second apart, as in a log that is not hurried.
  const spread = "UPDATE log.entry SET time = $2::bigint - 1000 * ($3 - 1 - index) WHERE log = $1";
  await world.run([[spread, rekor, await timeOf(V1 - 1), V1]]);
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

async function timeOf(index: number): Promise<bigint> {
  const [row] = await world.owner.query<{ time: bigint }>("SELECT time FROM log.entry WHERE log = $1 AND index = $2", [
    rekor,
    index,
  ]);
  if (row === undefined) throw new Error(`no entry ${index}`);
  return row.time;
}

/** Many looks at a whole stack: on a machine that is busy with other things each takes its time. */
const SLOW = 120_000;
/** The tree has the time of its newest entry: who moves that moves both. */
const SET_TREE_TIME = "UPDATE log.tree SET time = $2 WHERE log = $1";
const SET_TIME = "UPDATE log.entry SET time = $3 WHERE log = $1 AND index = $2";

describe("the time of an entry, which no hash covers", () => {
  test.for([
    [
      "in a whole page",
      100,
      "a time of the entries 0 to 255 of rekor, or what is kept beside one, is another than it was",
    ],
    ["among the newest", 290, "its time was"],
  ] as const)(
    "that is moved %s, between its neighbours', is found",
    { timeout: SLOW },
    async ([where, index, what]) => {
      const name = `times-${randomUUID()}`;
      const before = await world.auditor(name);
      await before.sweep();
      expect(openTroubles(before.status())).toEqual([]);
      await before[Symbol.asyncDispose]();
      const auditor = await world.auditor(name);
      const time = await timeOf(index);
      await world.run([[SET_TIME, rekor, index, time - 500n]]);
      await auditor.sweep();
      expect(openTroubles(auditor.status()), where).toEqual(["changed-beside"]);
      expect(auditor.status().alarms[0]?.what).toContain(what);
      await world.run([[SET_TIME, rekor, index, time]]);
      await auditor.sweep();
      expect(openTroubles(auditor.status())).toEqual([]);
    },
  );

  test("that is long before the entry came is found", { timeout: SLOW }, async () => {
    const auditor = await world.auditor(`back-dated-${randomUUID()}`);
    const last = (await world.owner.query<{ size: bigint }>("SELECT size FROM log.tree WHERE log = $1", [rekor]))[0];
    const newest = Number(last?.size ?? 0n) - 1;
    // As in a log that had no entry for an hour.
    const shift = [
      "UPDATE log.entry SET time = time - 7200000 WHERE log = $1",
      "UPDATE log.entry SET time = time + 7200000 WHERE log = $1",
    ] as const;
    await world.run([
      [shift[0], rekor],
      [SET_TREE_TIME, rekor, (await timeOf(newest)) - 7_200_000n],
    ]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual([]);
    await world.logV1(1);
    const time = await timeOf(newest + 1);
    await world.run([
      [SET_TIME, rekor, newest + 1, time - 3_600_000n],
      [SET_TREE_TIME, rekor, time - 3_600_000n],
    ]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual(["changed-beside"]);
    expect(auditor.status().alarms[0]?.what).toMatch(/^entry \d+ of rekor has the time .* and came at /);
    await world.run([
      [SET_TIME, rekor, newest + 1, time - 7_200_000n],
      [shift[1], rekor],
      [SET_TREE_TIME, rekor, time],
    ]);
  });
});

test.for([100, 290])(
  "an attestation beside entry %i that is another than it was is found",
  { timeout: SLOW },
  async (index) => {
    const auditor = await world.auditor(`attestation-${randomUUID()}`);
    await auditor.sweep();
    await world.run([
      ["UPDATE log.entry SET extra = $3 WHERE log = $1 AND index = $2", rekor, index, Buffer.from("{}")],
    ]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toContain("changed-beside");
    await world.run([["UPDATE log.entry SET extra = NULL WHERE log = $1 AND index = $2", rekor, index]]);
  },
);

test(
  "a row of the ledger that is deleted after an alarm of one of its columns is found, and is over when it is back",
  { timeout: SLOW },
  async () => {
    const name = `ledger-${randomUUID()}`;
    const auditor = await world.auditor(name);
    await auditor.sweep();
    const { change, back } = await deleted(world.owner, "fulcio.certificate", "ct_index = $1", [1]);
    await world.run([["UPDATE fulcio.certificate SET subject = 'somebody else' WHERE ct_index = 1"]]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual(["changed-ledger"]);
    await world.run(change);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toContain("lost-ledger");
    await auditor[Symbol.asyncDispose]();
    await world.run(back);
    const later = await world.auditor(name);
    await later.sweep();
    expect(failing(later.status())).toEqual([]);
  },
);

test(
  "a row of the ledger that is gone for good is over at an operator's word, with the reason",
  { timeout: SLOW },
  async () => {
    const name = `settled-${randomUUID()}`;
    const state = join(world.stack.data, name);
    const auditor = await world.auditor(name);
    await auditor.sweep();
    const { change, back } = await deleted(world.owner, "fulcio.certificate", "ct_index = $1", [2]);
    await world.run(change);
    await auditor.sweep();
    const { out } = await chancery("auditor", "settle", "--state", state);
    const [, id = ""] =
      /^([0-9a-f-]{36}) {2}\S+ {2}lost-ledger: the row of the certificate [0-9a-f]{40} is gone/.exec(out) ?? [];
    const without = await chancery("auditor", "settle", "--state", state, "--alarm", id);
    expect([without.code, without.err]).toEqual([2, expect.stringContaining("--because")]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual(["lost-ledger"]);
    const told = await chancery("auditor", "settle", "--state", state, "--alarm", id, "--because", "no backup has it");
    expect([told.code, told.out], told.err).toEqual([
      0,
      expect.stringContaining("settled: the row of the certificate"),
    ]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual([]);
    const alarm = auditor.status().alarms.find((one) => one.id === id);
    expect(alarm?.reason).toBe("an operator settled it: no backup has it");
    await world.run(back);
  },
);

test("a memory that was damaged is not taken for none", { timeout: SLOW }, async () => {
  const name = `damaged-${randomUUID()}`;
  const before = await world.auditor(name);
  await before.sweep();
  await before[Symbol.asyncDispose]();
  for (const file of ["alarms.json", "trust.json"]) await writeFile(join(world.stack.data, name, file), "{");
  const after = await world.auditor(name);
  expect(openTroubles(after.status())).toEqual(["memory"]);
  await after.sweep();
  const check = after.status().checks.find((one) => one.name === "trust root");
  expect(check).toMatchObject({ state: "failing", what: expect.stringContaining("trust.json is not whole") });
});

const indexCheck = ({ checks }: AuditStatus) => checks.find(({ name }) => name === "search index of rekor");
/** Without what single lookups found, which take their entries by chance. */
const told = (status: AuditStatus) =>
  openAlarms(status).flatMap(({ subject, what }) =>
    subject?.startsWith("search ") === true ? `${subject}: ${what}` : [],
  );
/** The search rows of entries [first, end). */
const hidden = (first: bigint, end: bigint) => {
  const log = BigInt(rekor) << 40n;
  return deleted(world.owner, "log.search", "place >= $1 AND place < $2", [log + first, log + end]);
};
const gap = (size: number): Statement => ["INSERT INTO log.search_gap (log, size) VALUES ($1, $2)", rekor, size];
const noGap = (): Statement => ["DELETE FROM log.search_gap WHERE log = $1", rekor];

describe("an entry that no search finds, and that is said to be of before there was a search,", () => {
  test("is told by an auditor that looked before, and so is the lie", { timeout: SLOW }, async () => {
    const auditor = await world.auditor(`gap-${randomUUID()}`);
    await auditor.sweep();
    expect(indexCheck(auditor.status())?.state).toBe("passed");
    const { change, back } = await hidden(200n, 201n);
    await world.run([...change, gap(1_000_000_000)]);
    await auditor.sweep();
    expect(told(auditor.status())).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^search index of rekor: .* is other than its entries: entry 200: its key /),
        expect.stringMatching(/^search gap of rekor: .* before index 1000000000, and at the first look it said 0: /),
      ]),
    );
    await world.run([...back, noGap()]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual([]);
  });

  test(
    "is not called well at the first look, and a gap beyond the log is told at the next",
    { timeout: SLOW },
    async () => {
      const { change, back } = await hidden(200n, 201n);
      await world.run([...change, gap(1_000_000_000)]);
      const auditor = await world.auditor(`gap-${randomUUID()}`);
      await auditor.sweep();
      expect(indexCheck(auditor.status())).toMatchObject({
        state: "unknown",
        what: expect.stringContaining("not judged: run chancery index rebuild"),
      });
      await auditor.sweep();
      expect(told(auditor.status())).toEqual([
        expect.stringMatching(/^search gap of rekor: .* before index 1000000000, and the log has 3\d\d: /),
      ]);
      await world.run([...back, noGap()]);
      await auditor.sweep();
      expect(openTroubles(auditor.status())).toEqual([]);
    },
  );

  test("has those behind it judged, however many were upgraded and not rebuilt", { timeout: SLOW }, async () => {
    const [older, one] = [await hidden(0n, 20n), await hidden(280n, 281n)];
    await world.run([...older.change, gap(250)]);
    const auditor = await world.auditor(`gap-${randomUUID()}`);
    for (const _ of ["first", "second"]) {
      await auditor.sweep();
      expect(indexCheck(auditor.status())?.state).toBe("unknown");
      expect(told(auditor.status())).toEqual([]);
    }
    await world.run(one.change);
    await auditor.sweep();
    expect(told(auditor.status())).toEqual(
      expect.arrayContaining([expect.stringMatching(/^search index of rekor: .* entries: entry 280: its key /)]),
    );
    expect(told(auditor.status()).join()).not.toContain("search gap");
    await world.run([...one.back, ...older.back, noGap()]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual([]);
    expect(indexCheck(auditor.status())?.state).toBe("passed");
  });
});
