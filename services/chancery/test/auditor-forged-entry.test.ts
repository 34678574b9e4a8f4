import { createHash } from "node:crypto";
import type { Auditor } from "@chancery/auditor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failing, openAlarms, type Statement, TamperedStack, type Tampering } from "./tampered-stack.ts";
import { LOWEST, otherKey } from "./tamperings.ts";

/*
 * An alarm that says the search index is wrong has good rows deleted and built anew from what stands in log.entry. Where it is
 * the entry that was changed, that destroys the evidence and makes the forged entry the one that is found.
 */

/** A full lowest tile and one that is not. */
const SIZE = 260;
const PLACES = [7, 255, 258];

let world: TamperedStack;
let auditor: Auditor;
let log: number;
/** A body that can be read as well as a true one. */
let forged: { readonly leaf: Uint8Array; readonly hash: Uint8Array };

beforeAll(async () => {
  world = await TamperedStack.start();
  await world.logV1(SIZE);
  log = await world.logId("rekor");
  const answer = await fetch(`${world.stack.url}/api/v1/log/entries?logIndex=100`);
  const [{ body }] = Object.values((await answer.json()) as Record<string, { body: string }>) as [{ body: string }];
  const text = Buffer.from(body, "base64").toString();
  const leaf = Buffer.from(text.replace(/"value":"[0-9a-f]{64}"/, `"value":"${"ab".repeat(32)}"`));
  expect(leaf.toString()).not.toBe(text);
  forged = { leaf, hash: createHash("sha256").update(Uint8Array.of(0)).update(leaf).digest() };
  auditor = await world.auditor("forged");
  await auditor.sweep();
}, 120_000);
afterAll(() => world?.[Symbol.asyncDispose]());

const kept = async (table: string, index: number, where: string): Promise<Statement[]> => {
  const rows = await world.owner.query<{ row: string }>(
    `SELECT to_jsonb(t)::text AS row FROM log.${table} t WHERE ${where}`,
    [log, index],
  );
  return [
    [`DELETE FROM log.${table} WHERE ${where}`, log, index],
    ...rows.map(({ row }): Statement => [
      `INSERT INTO log.${table} SELECT * FROM jsonb_populate_record(NULL::log.${table}, $1::jsonb)`,
      row,
    ]),
  ];
};

const OWN = "log = $1 AND index = $2";

/** The body; with it the identity beside it; with both its row in log.identity; with all its hash in the tile. */
async function forgery(index: number, parts: 1 | 2 | 3 | 4): Promise<Tampering> {
  const change: Statement[] = [
    [`UPDATE log.entry SET leaf = $3 WHERE ${OWN}`, log, index, forged.leaf],
    [`UPDATE log.entry SET identity = $3 WHERE ${OWN}`, log, index, forged.hash],
    [`UPDATE log.identity SET hash = $3 WHERE ${OWN}`, log, index, forged.hash],
    [
      `UPDATE log.tile SET hashes = overlay(hashes PLACING $3 FROM ($2 % 256 - start) * 32 + 1 FOR 32) WHERE ${LOWEST}`,
      log,
      index,
      forged.hash,
    ],
  ];
  const back = [
    ...(await kept("entry", index, OWN)),
    ...(await kept("identity", index, OWN)),
    ...(await kept("tile", index, LOWEST)),
  ];
  return { where: `entry ${index}`, change: change.slice(0, parts), back };
}

const told = () => openAlarms(auditor.status()).map(({ trouble, subject }) => `${trouble}: ${subject}`);
const troubles = () => new Set(openAlarms(auditor.status()).map(({ trouble }) => trouble));

test("what nobody touched is well", () => expect(failing(auditor.status())).toEqual([]));

/** What is open while it is so; it is over when it is mended. */
async function during({ change, back }: Tampering, look: () => void): Promise<void> {
  await world.run(change);
  try {
    await auditor.sweep();
    look();
  } finally {
    await world.run(back);
    await auditor.sweep();
  }
  expect(failing(auditor.status())).toEqual([]);
}

describe.for(PLACES)("a forged entry at %i was told as a wrong search index", (index) => {
  test("its body alone: one alarm, of the entry", { timeout: 60_000 }, async () => {
    await during(await forgery(index, 1), () => {
      expect(told()).toEqual([`changed-entry: rekor leaf ${index}`]);
    });
  });

  test("its body and the hash beside it: the row by which it was found is good", { timeout: 60_000 }, async () => {
    await during(await forgery(index, 2), () => {
      expect(told()).toEqual([`changed-entry: rekor leaf ${index}`]);
    });
  });

  test("its body and the row by which it is found: that one is another, too", { timeout: 60_000 }, async () => {
    await during(await forgery(index, 3), () => {
      const identity = `changed-index: rekor identity row of entry ${index}`;
      expect(new Set(told())).toEqual(new Set([`changed-entry: rekor leaf ${index}`, identity]));
    });
  });

  test("its body, both hashes and the one in the tile", { timeout: 60_000 }, async () => {
    await during(await forgery(index, 4), () => {
      expect(told().filter((one) => one.startsWith("changed-index"))).toEqual([]);
      expect(troubles().isDisjointFrom(new Set(["changed-entry", "changed-tile"]))).toBe(false);
    });
  });
});

test(
  "a search row that was changed is one of the index still, beside a forged entry too",
  { timeout: 60_000 },
  async () => {
    const other: Statement = [otherKey("key1"), (BigInt(log) << 40n) | 9n];
    await during({ where: "", change: [other], back: [other] }, () => {
      expect(troubles()).toEqual(new Set(["changed-index"]));
    });
    const { where, change, back } = await forgery(7, 1);
    await during({ where, change: [other, ...change], back: [...back, other] }, () => {
      expect(troubles()).toEqual(new Set(["changed-index", "changed-entry"]));
      const inIndex = openAlarms(auditor.status()).find(({ subject }) => subject === "search index of rekor");
      expect(inIndex?.what).toMatch(/^the search index of rekor is other than its entries: entry 9: its key key1 /);
    });
  },
);

test(
  "an auditor that never saw the true entry proves nothing behind it, and calls no index good",
  { timeout: 60_000 },
  async () => {
    const { change, back } = await forgery(7, 1);
    await world.run(change);
    const late = await world.auditor("late");
    await late.sweep();
    const index = () => late.status().checks.find(({ name }) => name === "search index of rekor");
    expect(index()?.state).toBe("unknown");
    await world.run(back);
    await late.sweep();
    expect(index()?.state).toBe("passed");
    expect(failing(late.status())).toEqual([]);
  },
);
