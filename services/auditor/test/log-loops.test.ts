import { expect, test } from "vitest";
import { loopsOf } from "../src/watch/log-loops.ts";
import type { Watched } from "../src/watch/watched-log.ts";

test("certificates are looked at when the trust root is read and their log proven, and not once in vain and then in a minute", async () => {
  const looked: string[] = [];
  const told: string[] = [];
  const world = { isTrusted: false, isCurrent: false };
  const look = (what: string) => async () => void looked.push(`${what}: ${world.isTrusted} ${world.isCurrent}`);
  const watched = {
    watch: {
      log: { name: "ctlog/2026", identity: {} },
      proven: { size: 0n },
      checkEdge: async () => {},
      get isCurrent() {
        return world.isCurrent;
      },
    },
    certificates: {
      checkNew: look("new"),
      checkAllLogged: look("logged"),
      checkAllLedgered: look("ledgered"),
    },
  } as unknown as Watched;
  const running = loopsOf(watched, {
    loops: { again: (_name, _everyMs, work) => work() },
    insight: undefined,
    signal: new AbortController().signal,
    rest: async () => {},
    checkIndex: async () => {},
    report: { unknown: (check, why) => void told.push(`${check} ${why}`) },
    isTrusted: () => world.isTrusted,
  });
  await new Promise((resolve) => setTimeout(resolve, 600));
  world.isTrusted = true;
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(looked).toEqual([]);
  expect(told).toHaveLength(4);
  expect(told).toContainEqual(expect.stringMatching(/^certificates in ctlog\/2026 waits for the trust root/));
  world.isCurrent = true;
  await Promise.all(running);
  expect(looked.toSorted()).toEqual(["ledgered: true true", "logged: true true", "new: true true"]);
});
