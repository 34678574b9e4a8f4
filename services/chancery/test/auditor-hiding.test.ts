import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTroubles, type Statement, TamperedStack } from "./tampered-stack.ts";

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
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

/** Moves the time of an entry to that of the one before it: no order is broken. */
const earlier = (index: number): Statement => [
  `UPDATE log.entry e SET time = (SELECT time FROM log.entry b WHERE b.log = e.log AND b.index = e.index - 1) - $3
   WHERE log = $1 AND index = $2`,
  rekor,
  index,
  0,
];

async function timeOf(index: number): Promise<bigint> {
  const [row] = await world.owner.query<{ time: bigint }>("SELECT time FROM log.entry WHERE log = $1 AND index = $2", [
    rekor,
    index,
  ]);
  if (row === undefined) throw new Error(`no entry ${index}`);
  return row.time;
}

async function firstOfItsTime(from: number): Promise<number> {
  let index = from;
  while ((await timeOf(index)) === (await timeOf(index - 1))) index++;
  return index;
}

describe("the time of an entry, which no hash covers", () => {
  test.for([
    ["in a whole page", 1, "a time of the entries 0 to 255 of rekor is another than it was"],
    ["among the newest", 257, "its time was"],
  ] as const)("that is moved %s, between its neighbours', is found", async ([where, from, what]) => {
    const name = `times-${randomUUID()}`;
    const before = await world.auditor(name);
    await before.sweep();
    expect(openTroubles(before.status())).toEqual([]);
    await before[Symbol.asyncDispose]();
    const auditor = await world.auditor(name);
    const index = await firstOfItsTime(from);
    const time = await timeOf(index);
    await world.run([earlier(index)]);
    await auditor.sweep();
    expect(openTroubles(auditor.status()), where).toEqual(["changed-time"]);
    expect(auditor.status().alarms[0]?.what).toContain(what);
    await world.run([["UPDATE log.entry SET time = $3 WHERE log = $1 AND index = $2", rekor, index, time]]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual([]);
  });

  test("that is long before the entry came is found", async () => {
    const auditor = await world.auditor(`back-dated-${randomUUID()}`);
    const last = (await world.owner.query<{ size: bigint }>("SELECT size FROM log.tree WHERE log = $1", [rekor]))[0];
    const newest = Number(last?.size ?? 0n) - 1;
    // As in a log that had no entry for an hour.
    const shift = [
      "UPDATE log.entry SET time = time - 7200000 WHERE log = $1",
      "UPDATE log.entry SET time = time + 7200000 WHERE log = $1",
    ] as const;
    await world.run([[shift[0], rekor]]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual([]);
    await world.logV1(1);
    const time = await timeOf(newest + 1);
    await world.run([
      ["UPDATE log.entry SET time = $3 WHERE log = $1 AND index = $2", rekor, newest + 1, time - 3_600_000n],
    ]);
    await auditor.sweep();
    expect(openTroubles(auditor.status())).toEqual(["changed-time"]);
    expect(auditor.status().alarms[0]?.what).toMatch(/^entry \d+ of rekor has the time .* and came at /);
    await world.run([
      ["UPDATE log.entry SET time = $3 WHERE log = $1 AND index = $2", rekor, newest + 1, time - 7_200_000n],
      [shift[1], rekor],
    ]);
  });
});

test("a memory that was damaged is not taken for none", async () => {
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
