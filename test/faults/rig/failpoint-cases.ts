import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Frozen, Unavailable } from "../../../libs/fault/src/index.ts";
import {
  type AnchorStep,
  type Failpoint,
  FileAnchor,
  type FreezeStep,
  type LogOptions,
  type LogStore,
  PostgresLogStore,
  type Step,
} from "../../../libs/log/src/index.ts";
import { Database } from "../../../libs/postgres/src/index.ts";
import { afterCommit } from "./after-commit.ts";
import { Dice, minutes, times } from "./dice.ts";
import { entryNamed } from "./entry.ts";
import { Journal } from "./journal.ts";
import { LogNode } from "./log-node-process.ts";
import { type FaultLog, FaultSite, LOG, report } from "./site.ts";

type AnyStep = Step | AnchorStep;

/** Every step there is, and the file that has its cases. */
const STEPS = {
  locked: "in the database",
  stored: "in the database",
  committed: "in the database",
  "anchor-written": "after it",
  "anchor-linked": "after it",
  anchored: "after it",
  signed: "after it",
  published: "after it",
} as const satisfies Record<AnyStep, string>;
/** The anchor's own steps: it knows nothing of tiles nor of batches, and what is before one is after another. */
const OF_ANCHOR: Record<AnchorStep, true> = { "anchor-written": true, "anchor-linked": true };
/** Of freezing. What is before the second one is what was committed and is signed by whoever freezes. */
const OF_FREEZING: Record<FreezeStep, true> = { frozen: true, "frozen-anchored": true };
const WAYS = ["throws before", "throws after", "kills after"] as const;
/** Around the edges of tiles of the first and the second level. */
const SMALL = [0, 1, 255, 256, 257];
const LARGE = [65_535, 65_536, 65_537];
type Way = (typeof WAYS)[number];
type Batch = "one" | "mixed" | "many";

/** Only for these does COMMIT wait for the answers to what it commits: everywhere else it travels with them, as in use. */
const WITHIN = new Set<AnyStep>(["locked", "stored"]);

/** From this step on the batch is in the tree. */
const COMMITTED = new Set<AnyStep>(["committed", "anchor-written", "anchor-linked", "anchored", "signed", "published"]);

let site: FaultSite;
let warm: LogNode;
let cases = 0;
const bases = new Map<number, FaultLog>();
let dice: Dice;

/** Brings the log to this size through the engine, in batches that no service would make. */
async function grow(base: FaultLog, size: number): Promise<void> {
  await using db = await Database.open(base.url, { max: 2 });
  const limits = { entries: 70_000, batchEntries: 8192, ahead: 70_000 };
  const log = await base.open(db, { create: size === 0, limits });
  const from = Number((await log.published()).head.size);
  const names = Array.from({ length: size - from }, (_, at) => `base.${from + at}`);
  await base.append(log, names);
  await log.close();
}

/** What the batch is: one entry, enough to fill a tile, or one that is logged already with two new ones. */
function namesOf(batch: Batch, size: number): { names: string[]; fresh: number } {
  const fresh = batch === "one" ? 1 : batch === "mixed" ? 2 : dice.between(257, 300);
  const names = Array.from({ length: fresh }, (_, at) => `new.${at}`);
  return { names: batch === "mixed" && size > 0 ? ["base.0", ...names] : names, fresh };
}

/** A log in which a step fails once, before anything of it happened or after all of it did. */
async function failing(
  log: FaultLog,
  db: Database,
  step: AnyStep | FreezeStep,
  way: Way,
): Promise<Partial<LogOptions>> {
  let armed = true;
  const fail: Fail = (at, when) => {
    if (!armed || at !== step || when !== way) return;
    armed = false;
    throw way === "throws before" ? new Unavailable(`before ${step}`, 1) : new Error(`after ${step}`);
  };
  const failpoint: Failpoint = (at) => {
    // Within the transaction what is before a step is after the step before it.
    if (at === "locked") fail("stored", "throws before");
    if (at === "stored") fail("committed", "throws before");
    fail(at, "throws after");
  };
  const anchor = await FileAnchor.open(log.anchors, LOG, { failpoint });
  const signer = log.signer();
  const isWithin = WITHIN.has(step as AnyStep) || (step === "committed" && way === "throws before");
  const store = await PostgresLogStore.open(db, isWithin ? failpoint : undefined);
  return {
    failpoint,
    store: failingStore(isWithin ? store : afterCommit(store, failpoint), fail),
    anchor: {
      read: () => anchor.read(),
      compareAndSwap: async (expected, next) => {
        fail(next.frozen === true ? "frozen-anchored" : "anchored", "throws before");
        return await anchor.compareAndSwap(expected, next);
      },
    },
    signer: {
      origin: signer.origin,
      keyId: signer.keyId,
      sign: async (head, time) => {
        fail("signed", "throws before");
        return await signer.sign(head, time);
      },
      verify: (note) => signer.verify(note),
    },
  };
}

type Fail = (at: AnyStep | FreezeStep, when: Way) => void;

function failingStore(store: LogStore, fail: Fail): LogStore {
  return {
    create: (name, key, time) => store.create(name, key, time),
    find: async (name) => {
      const stored = (await store.find(name))!;
      const { writer } = stored;
      return {
        ...stored,
        writer: {
          tree: () => writer.tree(),
          freeze: async () => {
            fail("frozen", "throws before");
            await writer.freeze();
          },
          commit: async (...batch) => {
            fail("locked", "throws before");
            await writer.commit(...batch);
          },
          publish: async (checkpoint) => {
            fail("published", "throws before");
            return await writer.publish(checkpoint);
          },
        },
      };
    },
  };
}

/** Its callers are told of trouble, and the same process goes on as if nothing had been. */
async function throwAndGoOn(log: FaultLog, names: readonly string[], step: AnyStep, way: Way): Promise<void> {
  await using db = await Database.open(log.url, { max: 3 });
  const opened = await log.open(db, await failing(log, db, step, way));
  await expect(log.append(opened, names)).rejects.toThrow();
  await log.append(opened, names);
  await log.append(opened, ["next"]);
  expect(await opened.readiness()).toBeUndefined();
  await opened.close();
}

/** It dies, and another process finds all of the batch or nothing of it. */
async function killAndGoOn(
  log: FaultLog,
  names: string[],
  step: AnyStep,
  sizes: readonly [bigint, bigint],
): Promise<void> {
  const node = warm;
  log.adopt(node);
  warm = LogNode.start(new Journal());
  expect(
    await node.order("open", log.opening({ failpoints: WITHIN.has(step) ? "within the transaction" : "after it" })),
  ).toBe("");
  await node.order("arm", { step, action: "kill" });
  void node.order("append", { names });
  await node.ended();
  await using db = await Database.open(log.url, { max: 3 });
  const opened = await log.open(db);
  expect((await opened.published()).head.size).toBe(sizes[COMMITTED.has(step) ? 1 : 0]);
  await log.append(opened, names);
  await log.append(opened, ["next"]);
  await opened.close();
}

async function inject(size: number, step: AnyStep, way: Way, batch: Batch): Promise<void> {
  const { names, fresh } = namesOf(batch, size);
  const log = await site.log(bases.get(size));
  if (way === "kills after") await killAndGoOn(log, names, step, [BigInt(size), BigInt(size + fresh)]);
  else await throwAndGoOn(log, names, step, way);
  expect((await log.check()).entries).toBe(size + fresh + 1);
  if (size > 1000) await log.drop();
  cases++;
}

const dieCommitted: Failpoint = (step) => {
  if (step === "committed") throw new Error("crash");
};

/** An entry of a process that dies between COMMIT and its anchor: freezing has something to sign. */
async function leaveUnsigned(log: FaultLog): Promise<void> {
  await using db = await Database.open(log.url, { max: 2 });
  const dying = await log.open(db, { failpoint: dieCommitted });
  await expect(log.append(dying, ["unsigned"])).rejects.toThrow("crash");
}

/** It is frozen for whoever looks, and nobody can write to it. */
async function injectFreezing(size: number, step: FreezeStep, way: Way): Promise<void> {
  const log = await site.log(bases.get(size));
  await using db = await Database.open(log.url, { max: 3 });
  if (way === "kills after") {
    const node = warm;
    log.adopt(node);
    warm = LogNode.start(new Journal());
    expect(await node.order("open", log.opening({ failpoints: "after it" }))).toBe("");
    await leaveUnsigned(log);
    await node.order("arm", { step, action: "kill" });
    void node.order("freeze", {});
    await node.ended();
  } else {
    const failed = await log.open(db, await failing(log, db, step, way));
    await leaveUnsigned(log);
    await expect(failed.freeze()).rejects.toThrow();
    if (step === "frozen" && way === "throws before") await failed.freeze();
    expect(await failed.readiness()).toBeUndefined();
    await failed.close();
  }
  const opened = await log.open(db);
  expect(opened.state).toEqual({ frozen: true, refusal: undefined });
  await expect(opened.append(entryNamed("too late"))).rejects.toBeInstanceOf(Frozen);
  expect(await (await FileAnchor.open(log.anchors, LOG)).read()).toMatchObject({
    frozen: true,
    size: BigInt(size + 1),
  });
  await opened.close();
  expect((await log.check()).entries).toBe(size + 1);
  if (size > 1000) await log.drop();
  cases++;
}

/** Every way to fail at each of these steps. In files of their own, so that they run side by side. */
export function failpointCases(where: (typeof STEPS)[AnyStep]): void {
  const steps = (Object.keys(STEPS) as AnyStep[]).filter((step) => STEPS[step] === where);

  beforeAll(async () => {
    dice = new Dice(`failpoints ${where}`);
    site = await FaultSite.open();
    warm = LogNode.start(new Journal());
    let base = await site.log();
    for (const size of [...SMALL, ...LARGE]) {
      if (size > 0) base = await site.log(base);
      await grow(base, size);
      bases.set(size, base);
    }
  }, minutes(5));

  afterAll(async () => {
    await warm?.kill();
    await site?.[Symbol.asyncDispose]();
    report(`failpoints ${where}`, { cases });
  });

  describe.each(steps)("at '%s'", (step) => {
    const isOfAnchor = step in OF_ANCHOR;
    const batches = (isOfAnchor ? (["mixed"] as const) : (["one", "mixed", "many"] as const)).flatMap((batch) =>
      SMALL.map((size): readonly [number, Batch] => [size, batch]),
    );
    const round = isOfAnchor ? batches : batches.concat(LARGE.map((size) => [size, "mixed"] as const));
    const all = Array.from({ length: times(1) }, () => round).flat();

    describe.each(isOfAnchor ? WAYS.filter((way) => way !== "throws before") : WAYS)("what %s it", (way) => {
      test.each(all)("harms nothing at size %i with a batch of %s", async (size, batch) => {
        await inject(size, step, way, batch);
      });
    });
  });

  if (where !== "after it") return;

  describe.each(Object.keys(OF_FREEZING) as FreezeStep[])("at '%s'", (step) => {
    describe.each(WAYS)("what %s it leaves a log that is frozen", (way) => {
      // Of the large ones that which the entry that is not signed makes a whole tile of the second level.
      const sizes = way === "kills after" ? [...SMALL, 65_535] : SMALL;
      test.each(Array.from({ length: times(1) }, () => sizes).flat())("at size %i", async (size) => {
        await injectFreezing(size, step, way);
      });
    });
  });
}
