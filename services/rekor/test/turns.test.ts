import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { RekorLog } from "../src/domain/rekor-log.ts";
import { Turns } from "../src/domain/turns.ts";
import { HOSTNAME, startRekor, TREE_ID } from "./running-rekor.ts";

test("a thousand entries at once leave every turn of the event loop to others too", async () => {
  const turns = new Turns(16);
  const perTurn: number[] = [];
  const all = Promise.all(
    Array.from({ length: 1_000 }, async () => {
      await turns.next();
      perTurn.push(perTurn.pop() ?? 0);
      perTurn[perTurn.length - 1]!++;
    }),
  );
  const others = new AbortController();
  void all.then(() => others.abort());
  while (!others.signal.aborted) {
    perTurn.push(0);
    await setImmediate();
  }
  expect(perTurn.reduce((sum, count) => sum + count, 0)).toBe(1_000);
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(32);
});

test("they go on in the order in which they came", async () => {
  const turns = new Turns(4);
  const order: number[] = [];
  const each = async (place: number) => {
    await turns.next();
    order.push(place);
  };
  await Promise.all(Array.from({ length: 50 }, (_, place) => each(place)));
  expect(order).toEqual([...order].toSorted((a, b) => a - b));
  expect(order).toHaveLength(50);
});

test("one alone does not wait", async () => {
  const turns = new Turns(2);
  let waited = false;
  const later = setImmediate().then(() => (waited = true));
  await turns.next();
  expect(waited).toBe(false);
  await later;
  await turns.next();
  await turns.next();
});

test("proposals that are looked up wait for their turns as those that are written do", async () => {
  await using rekor = await startRekor();
  const log = new RekorLog({ hostname: HOSTNAME, treeId: TREE_ID }, rekor);
  let read = 0;
  const proposal = {
    kind: "nonsense",
    apiVersion: "0.0.1",
    get spec() {
      read++;
      return {};
    },
  };
  const lookUps = Array.from({ length: 40 }, () =>
    log.retrieve(
      { token: undefined, certificate: undefined },
      { entryIds: [], proposals: [proposal, proposal], indexes: [] },
    ),
  );
  const settled = Promise.allSettled(lookUps);
  // What is left of this turn of the event loop: its promises.
  await new Promise((resolve) => process.nextTick(resolve));
  expect(read).toBe(16);
  await settled;
  expect(read).toBe(40);
});
