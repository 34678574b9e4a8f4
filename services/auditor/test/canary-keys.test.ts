import { expect, test } from "vitest";
import { CanaryKeys } from "../src/watch/canary-keys.ts";

function memoryOf(kept?: unknown) {
  const all = new Map<string, unknown>(kept === undefined ? [] : [["canary-keys", kept]]);
  return {
    all,
    recall: async <T>(name: string) => all.get(name) as T | undefined,
    remember: async (name: string, value: unknown) => void all.set(name, value),
  };
}

const fingerprint = (at: number) => at.toString(16).padStart(8, "0").repeat(8);

test("the keys of a day's canaries are remembered over a restart, the newest first, and no more", async () => {
  const memory = memoryOf();
  const keys = new CanaryKeys(memory);
  for (let at = 0; at < 1_105; at++) await keys.add(fingerprint(at));
  const [newest, ...others] = await new CanaryKeys(memory).newest();
  expect([newest, others.at(-1), others.length]).toEqual([
    fingerprint(1_104).slice(0, 32),
    fingerprint(5).slice(0, 32),
    1_099,
  ]);
});

test("a key is known before it is remembered, and a full disk loses it only at a restart", async () => {
  const memory = memoryOf();
  const full = { ...memory, remember: () => Promise.reject(new Error("ENOSPC")) };
  const keys = new CanaryKeys(full);
  await expect(keys.add(fingerprint(1))).rejects.toThrow("ENOSPC");
  expect(await keys.newest()).toEqual([fingerprint(1).slice(0, 32)]);
});

test.for([{}, "x", [1], null])("a memory that is %j leaves out nothing, and is written anew", async (kept) => {
  const memory = memoryOf(kept);
  const keys = new CanaryKeys(memory);
  expect(await keys.newest()).toEqual([]);
  await keys.add(fingerprint(7));
  expect(memory.all.get("canary-keys")).toEqual([fingerprint(7).slice(0, 32)]);
});

test("a memory that cannot be read leaves out nothing", async () => {
  const keys = new CanaryKeys({ ...memoryOf(), recall: () => Promise.reject(new Error("not whole")) });
  expect(await keys.newest()).toEqual([]);
});
