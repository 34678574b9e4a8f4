import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ephemeralSigner } from "@chancery/crypto";
import { Unavailable } from "@chancery/fault";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Alarm, AlarmBook } from "../src/domain/alarm.ts";
import { LogFolder } from "../src/state/log-folder.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { LogWatch } from "../src/watch/log-watch.ts";
import { DrawnLog, mth } from "./drawn-log.ts";

let directory: string;
let now = Date.parse("2026-11-21T12:00:00Z");
const opened: LogFolder[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-watch-"));
});
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder[Symbol.asyncDispose]();
  // That an alarm is over is written without anyone waiting for it.
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

async function watching(log: DrawnLog, others: readonly DrawnLog[] = []) {
  const state = await StateFolder.open(directory);
  const told: Alarm[] = [];
  const alarms = new AlarmBook(state, await state.alarms(), [(alarm) => void told.push(alarm)], () => now);
  const folder = await LogFolder.open(join(directory, "logs", "drawn"));
  opened.push(folder);
  const served = [log.served(), ...others.map((other, at) => other.served(`http://mirror-${at}.example`))];
  const watch = new LogWatch(log.log, served, folder, { report: alarms, now: () => now });
  const pass = async (seconds = 2) => {
    now += seconds * 1000;
    await watch.pass();
    return alarms.open.map(({ trouble }) => trouble);
  };
  return { watch, alarms, told, pass, folder };
}

async function logOf(count: number): Promise<DrawnLog> {
  const log = new DrawnLog(DrawnLog.named(count));
  await log.publish();
  return log;
}

describe("an honest log", () => {
  test("is proven as it grows, over the edges of tiles and over a restart, and no alarm is raised", async () => {
    const log = await logOf(0);
    let { watch, alarms, pass } = await watching(log);
    for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 700, 1300]) {
      log.leaves = DrawnLog.named(size).map((leaf) => Buffer.from(leaf));
      await log.publish();
      expect(await pass()).toEqual([]);
      expect(watch.view()).toMatchObject({ verifiedSize: String(size), root: mth(log.leaves).toString("hex") });
      ({ watch, alarms, pass } = await watching(log));
      expect(watch.view()).toMatchObject({ verifiedSize: String(size), root: mth(log.leaves).toString("hex") });
      await watch.checkEdge();
      if (size >= 256) await watch.checkTile(0n);
      expect(alarms.checks.filter(({ state }) => state !== "passed")).toEqual([]);
    }
    expect(await readdir(join(directory, "evidence"))).toEqual([]);
  });

  test("what was proven is not read again: only what is new", async () => {
    const log = await logOf(600);
    const { pass } = await watching(log);
    await pass();
    log.leaves = DrawnLog.named(610).map((leaf) => Buffer.from(leaf));
    const served: bigint[] = [];
    log.lie = (level, index, truth) => {
      if (level === 0) served.push(index);
      return truth;
    };
    await log.publish();
    expect(await pass()).toEqual([]);
    expect(served).toEqual([2n]);
  });

  test("a log that cannot be reached is an alarm after half a minute, which is over when it is back", async () => {
    const log = await logOf(3);
    const { pass, told } = await watching(log);
    await pass();
    log.isDown = true;
    expect(await pass()).toEqual([]);
    expect(await pass(31)).toEqual(["unreachable"]);
    expect(await pass(60)).toEqual(["unreachable"]);
    log.isDown = false;
    expect(await pass()).toEqual([]);
    expect(told.map(({ trouble, resolved }) => [trouble, resolved !== undefined])).toEqual([
      ["unreachable", false],
      ["unreachable", true],
    ]);
  });
});

/** The lowest tiles that were asked for while it is proven. */
function counted(log: DrawnLog): bigint[] {
  const asked: bigint[] = [];
  log.lie = (level, index, truth) => {
    if (level === 0) asked.push(index);
    return truth;
  };
  return asked;
}

function failingAt(log: DrawnLog, tile: bigint): void {
  log.lie = (level, index, truth) => {
    if (level === 0 && index === tile) throw new Unavailable("answers 503", 1);
    return truth;
  };
}

describe("the first look at a large log", () => {
  test("goes on after one 503 where it was", async () => {
    const log = await logOf(8 * 256 + 7);
    const { pass, watch, alarms } = await watching(log);
    failingAt(log, 5n);
    expect(await pass()).toEqual([]);
    expect(watch.proven.size).toBe(0n);
    const asked = counted(log);
    expect(await pass()).toEqual([]);
    expect(asked).toEqual([5n, 6n, 7n, 8n]);
    expect(watch.view()).toMatchObject({ verifiedSize: "2055", root: mth(log.leaves).toString("hex") });
    for (let index = 0n; index < 8n; index++) await watch.checkTile(index);
    expect(alarms.checks.filter(({ state }) => state !== "passed")).toEqual([]);
  });

  test("goes on after a restart of the auditor", async () => {
    const log = await logOf(70 * 256);
    failingAt(log, 69n);
    const before = await watching(log);
    await before.pass();
    const asked = counted(log);
    const after = await watching(log);
    expect(after.watch.proven.size).toBe(0n);
    expect(await after.pass()).toEqual([]);
    expect(asked).toEqual([64n, 65n, 66n, 67n, 68n, 69n]);
    expect(after.watch.view()).toMatchObject({ verifiedSize: "17920", root: mth(log.leaves).toString("hex") });
    for (const index of [0n, 63n, 64n, 69n]) await after.watch.checkTile(index);
    expect(after.alarms.checks.filter(({ state }) => state !== "passed")).toEqual([]);
  });

  test("is made in looks that end, and between them nothing is said to be proven", async () => {
    const log = await logOf(8 * 256);
    const { watch, alarms } = await watching(log);
    await watch.pass(-1);
    expect(watch.proven.size).toBe(0n);
    expect(alarms.checks.find(({ name }) => name === "checkpoint of rekor")).toMatchObject({
      state: "unknown",
      what: "0 of 2048 entries are read; 0 are proven",
    });
    await watch.pass();
    expect(watch.proven.size).toBe(2048n);
    expect(alarms.checks.filter(({ state }) => state !== "passed")).toEqual([]);
  });

  test("believes nothing of a beginning that was another than the root commits to", async () => {
    const log = await logOf(8 * 256 + 7);
    const { pass, watch } = await watching(log);
    const [honest, note] = [log.leaves, log.note];
    log.leaves = honest.with(300, Buffer.from("another"));
    failingAt(log, 5n);
    expect(await pass()).toEqual([]);
    log.leaves = honest;
    log.note = note;
    counted(log);
    expect(await pass()).not.toEqual([]);
    expect(watch.proven.size).toBe(0n);
    expect(await pass()).toEqual([]);
    expect(watch.view()).toMatchObject({ verifiedSize: "2055", root: mth(honest).toString("hex") });
  });
});

describe("a log with two histories", () => {
  for (const [shown, then] of [
    [5, 5],
    [5, 9],
    [300, 299],
    [300, 300],
    [300, 301],
    [300, 700],
    [512, 512],
    [512, 513],
  ] as const) {
    test(`of ${shown} and then another of ${then} entries is a fork, and both checkpoints are evidence`, async () => {
      const log = await logOf(shown);
      const { pass, alarms } = await watching(log);
      await pass();
      const honest = log.note;
      log.leaves = DrawnLog.named(then, "", 0).map((leaf) => Buffer.from(leaf));
      log.leaves[2] = Buffer.from("another past");
      await log.publish();
      expect(await pass()).toContain("fork");
      const fork = alarms.open.find(({ trouble }) => trouble === "fork");
      const evidence = await readFile(fork?.evidence ?? "", "utf8");
      expect(JSON.parse(evidence)).toMatchObject({
        note: Buffer.from(log.note).toString(),
        proven: { size: String(shown), note: Buffer.from(honest).toString() },
      });
    });
  }

  test("is found when only another place shows the second one, and is not forgotten when it is gone", async () => {
    const log = await logOf(300);
    const forked = new DrawnLog(DrawnLog.named(300, " of the other"), log.signer);
    await forked.publish(290);
    const { pass, folder } = await watching(log, [forked]);
    expect(await pass()).toContain("fork");
    await log.publish();
    forked.note = log.note;
    expect(await pass()).toEqual(["fork"]);
    expect(await folder.unproven()).toHaveLength(1);
    const again = await watching(log, [forked]);
    expect(await again.pass()).toEqual(["fork"]);
  });

  test("is found when the other place is ahead and never caught up with", async () => {
    const log = await logOf(300);
    const ahead = new DrawnLog(DrawnLog.named(310), log.signer);
    await ahead.publish();
    const { pass } = await watching(log, [ahead]);
    expect(await pass()).toEqual([]);
    expect(await pass(30)).toEqual(["split-view"]);
    log.leaves = ahead.leaves;
    await log.publish();
    expect(await pass()).toEqual([]);
  });
});

test("checkpoints that cannot be proven do not fill the disk", async () => {
  const { folder } = await watching(await logOf(3));
  for (let at = 0; at < 1_005; at++) await folder.keepUnproven(Buffer.from(`note ${at}`));
  const kept = (await folder.unproven()).map(String);
  expect(kept).toHaveLength(1_000);
  expect(kept).toContain("note 0");
});

test("a checkpoint that the canary and a look see at once is kept once, and nobody fails at it", async () => {
  const { folder } = await watching(await logOf(3));
  for (let at = 0; at < 20; at++) {
    const note = Buffer.from(`note ${at}`);
    await Promise.all(Array.from({ length: 4 }, () => folder.keepUnproven(note)));
  }
  expect(await folder.unproven()).toHaveLength(20);
});

test("a log whose checkpoint is answered and whose tiles are not, for a minute, shows nobody another history", async () => {
  const log = await logOf(300);
  const { pass } = await watching(log);
  expect(await pass()).toEqual([]);
  log.leaves = new DrawnLog(DrawnLog.named(310), log.signer).leaves;
  await log.publish();
  const honest = log.lie;
  log.lie = () => {
    throw new Unavailable("the database does not answer", 1);
  };
  for (let look = 0; look < 6; look++) expect(await pass(12)).not.toContain("split-view");
  log.lie = honest;
  expect(await pass()).toEqual([]);
  expect(await pass(30)).toEqual([]);
});

describe("a log that is set back or changed", () => {
  test("an older tree is one alarm: that its edge and its rows are others follows from it, and is unknown", async () => {
    const log = await logOf(300);
    const { watch, alarms, pass } = await watching(log);
    await pass();
    log.leaves = log.leaves.slice(0, 280);
    await log.publish();
    await watch.checkEdge();
    expect(alarms.open).toEqual([]);
    expect(await pass()).toEqual(["rollback"]);
    await watch.checkEdge();
    expect(alarms.open.map(({ trouble }) => trouble)).toEqual(["rollback"]);
    expect(alarms.checks.find(({ name }) => name === "edge of rekor")).toMatchObject({
      state: "unknown",
      what: 'not checked: rekor shows a tree of 280, and one of 300 entries was proven (see "checkpoint of rekor")',
    });
  });

  test("a tile of which the last hash is another is told by that hash, and by no other", async () => {
    const log = await logOf(40);
    const { watch, alarms, pass } = await watching(log);
    await pass();
    log.lie = (_level, _index, truth) => truth?.map((octet, at) => (at === 39 * 32 ? octet ^ 1 : octet));
    await watch.checkEdge();
    expect(alarms.open.map(({ what }) => what)).toEqual([
      expect.stringMatching(/^rekor, tile 0\/0, hash 39: expected [0-9a-f]{64}, found [0-9a-f]{64}$/),
    ]);
  });

  test("an older checkpoint is a rollback for as long as it is shown", async () => {
    const log = await logOf(300);
    const { pass } = await watching(log);
    await pass();
    await log.publish(280);
    expect(await pass()).toEqual(["rollback"]);
    expect(await pass()).toEqual(["rollback"]);
    await log.publish(300);
    expect(await pass()).toEqual([]);
  });

  test("after a restart of the auditor it still is one", async () => {
    const log = await logOf(300);
    await (await watching(log)).pass();
    await log.publish(280);
    expect(await (await watching(log)).pass()).toEqual(["rollback"]);
  });

  test("another key signs, a byte of the signature is another, the origin is another", async () => {
    const log = await logOf(300);
    const { pass } = await watching(log);
    const honest = log.note;
    const impostor = new DrawnLog(DrawnLog.named(300), ephemeralSigner("ecdsa-p256"));
    await impostor.publish();
    log.note = impostor.note;
    expect(await pass()).toEqual(["bad-signature"]);
    const bytes = Uint8Array.from(honest);
    bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) === 65 ? 66 : 65;
    log.note = bytes;
    expect(await pass()).toEqual(["bad-signature"]);
    log.note = Buffer.from(Buffer.from(honest).toString().replace("drawn.example - 7", "drawn.example - 8"));
    expect(await pass()).toEqual(["bad-signature"]);
    log.note = honest;
    expect(await pass()).toEqual([]);
  });

  for (const [level, index] of [
    [0, 0],
    [0, 1],
    [0, 4],
    [1, 0],
  ] as const) {
    test(`a bit of tile ${level}/${index} is found while the log is proven, and nothing is believed till it is mended`, async () => {
      const log = await logOf(1300);
      const { pass, watch } = await watching(log);
      log.lie = (at, tile, truth) => {
        if (truth === undefined || at !== level || tile !== BigInt(index)) return truth;
        const flipped = Uint8Array.from(truth);
        flipped[40] = (flipped[40] ?? 0) ^ 1;
        return flipped;
      };
      expect(await pass()).toEqual(["changed-tile"]);
      expect(watch.proven.size).toBe(0n);
      log.lie = (_level, _index, truth) => truth;
      expect(await pass()).toEqual([]);
      expect(watch.proven.size).toBe(1300n);
    });
  }

  test("an old leaf, an old tile and the edge are looked at again", async () => {
    const log = await logOf(1300);
    const { pass, watch, alarms } = await watching(log);
    await pass();
    const honest = log.leaves;
    log.leaves = honest.with(300, Buffer.from("another"));
    await watch.checkTile(1n);
    expect(alarms.open.map(({ what }) => what).join()).toContain("tile 0/1");
    log.leaves = honest.with(1299, Buffer.from("another"));
    await watch.checkEdge();
    expect(alarms.open).toHaveLength(2);
    log.leaves = honest;
    await watch.checkTile(1n);
    log.lie = (level, _index, truth) => (level === 1 ? undefined : truth);
    await watch.checkEdge();
    expect(alarms.open.map(({ trouble }) => trouble)).toEqual(["changed-tile"]);
  });
});

test("an alarm says what happened, what it means, what to do, and where its evidence is", async () => {
  const log = await logOf(10);
  const { pass, told } = await watching(log);
  await pass();
  await log.publish(4);
  await pass();
  expect(told).toMatchObject([
    {
      check: "checkpoint of rekor",
      severity: "critical",
      what: "rekor went back from size 10 to 4",
      meaning: expect.stringContaining("older state"),
      remedy: expect.stringContaining("Stop the service"),
      evidence: expect.stringContaining(join(directory, "evidence")),
    },
  ]);
});
