import { ephemeralSigner } from "@chancery/crypto";
import { MemoryAnchor, MemoryLogStore } from "@chancery/log";
import { describe, expect, test } from "vitest";
import { RENEW_AFTER_MS, TreeHeadRenewal } from "../src/domain/tree-head-renewal.ts";
import { CtWorld } from "./ct-world.ts";

const start = Date.now();

interface TreeHeadJson {
  readonly tree_size: number;
  readonly timestamp: number;
  readonly sha256_root_hash: string;
}

const unexpected = () => expect.unreachable();

/** Looks so many times, as fast as it can. */
async function look(renewal: (sleep: () => Promise<void>) => TreeHeadRenewal, times: number): Promise<void> {
  const stop = new AbortController();
  let looks = 0;
  const sleep = async () => {
    if (++looks === times) stop.abort();
  };
  await renewal(sleep).run(stop.signal);
}

describe("the tree head of an idle log", () => {
  test("is signed again within the hour, of the same tree, and verifies as any other", async () => {
    let now = start;
    await using world = await CtWorld.start({ clock: () => now, elapsed: () => now });
    now += 10;
    await world.submitPrecertificate();
    const before = await world.get<TreeHeadJson>("ct/v1/get-sth");
    for (let hours = 1; hours <= 3; hours++) {
      now += RENEW_AFTER_MS;
      await look((sleep) => new TreeHeadRenewal(world.log, { failed: unexpected }, sleep), 3);
      expect(await world.get("ct/v1/get-sth")).toMatchObject({
        tree_size: before.tree_size,
        sha256_root_hash: before.sha256_root_hash,
        timestamp: now,
      });
      await world.check(1);
    }
  });

  test("of a log that was stopped for a week is fresh as soon as it runs", async () => {
    let now = start;
    const [store, anchor, signer] = [new MemoryLogStore(), new MemoryAnchor(), ephemeralSigner("ecdsa-p256")];
    const parts = { store, anchor, signer, clock: () => now, elapsed: () => now };
    await (await CtWorld.start(parts))[Symbol.asyncDispose]();
    now += 7 * 24 * RENEW_AFTER_MS;
    await using again = await CtWorld.start(parts);
    await expect.poll(async () => (await again.get<TreeHeadJson>("ct/v1/get-sth")).timestamp).toBe(now);
  });
});

test("a renewal that fails is told once an hour, and goes on", async () => {
  const told: unknown[] = [];
  const failing = { renew: () => Promise.reject(new Error("no database")) };
  await look((sleep) => new TreeHeadRenewal(failing, { failed: (error) => told.push(error) }, sleep), 61);
  expect(told).toHaveLength(2);
});
