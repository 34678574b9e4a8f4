import { expect, test } from "vitest";
import { auditIndex } from "../src/audited-index.ts";
import { TamperedStack } from "./tampered-stack.ts";

const NEVER = new Promise<never>(() => {});
const AN_HOUR = 3_600_000;

async function until(isSo: () => boolean): Promise<void> {
  await expect.poll(isSo, { timeout: 30_000 }).toBe(true);
}

// What does not look at the signal would keep it for an hour, or for ever.
test("an auditor that is told to stop waits for no index that it reads page by page", async () => {
  await using world = await TamperedStack.start();
  await world.logV1(3);
  const asked: string[] = [];
  const auditor = await world.auditor("reading an index", {
    verifyIndex: (log, tree, around) => {
      asked.push(log);
      return auditIndex(world.owner, log, tree, { ...around, everyMs: AN_HOUR });
    },
  });
  auditor.start();
  await until(() => asked.length > 0);
  // What takes its time is listed before it is done.
  const { checks } = auditor.status();
  expect(checks.find(({ name }) => name === "search index of rekor")?.state).toBe("unknown");
  expect(checks.find(({ name }) => name === "canary")?.what).toContain("the canary is switched off");
  await auditor[Symbol.asyncDispose]();
  expect(auditor.status().auditor).toBe("off");
}, 60_000);

test("an auditor that is told to stop waits for no answer and no database that hangs, and raises no alarm of them", async () => {
  await using world = await TamperedStack.start();
  await world.logV1(3);
  let isHanging = false;
  let hanging = 0;
  const hangs = <Answer>(answer: () => Promise<Answer>): Promise<Answer> => {
    if (!isHanging) return answer();
    hanging++;
    return NEVER;
  };
  const { owner } = world;
  const auditor = await world.auditor("hanging", {
    way: { fetch: (url, request) => hangs(() => fetch(url, request)) },
    insight: { db: { query: (sql, params) => hangs(() => owner.query(sql, params)) } },
  });
  auditor.start();
  await until(() => auditor.status().lastPass !== null);
  isHanging = true;
  await until(() => hanging > 3);
  await auditor[Symbol.asyncDispose]();
  expect(auditor.status().alarms).toEqual([]);
}, 60_000);
