import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AUDITOR_OFF } from "../src/audit-view.ts";
import { AlarmBook } from "../src/domain/alarm.ts";
import { countAudit } from "../src/http/audit-metrics.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { Loops } from "../src/watch/loops.ts";

const START = Date.parse("2026-11-22T12:00:00Z");

let directory: string;
let stop: AbortController;
let running: Promise<unknown>[];
/** Seconds since the start. */
let seconds: number;
let book: AlarmBook;
let loops: Loops;
let failed: string[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-loops-"));
  stop = new AbortController();
  [running, failed, seconds] = [[], [], 0];
  book = new AlarmBook(await StateFolder.open(directory), [], [], () => START + seconds * 1000);
  loops = new Loops({
    book,
    now: () => START + seconds * 1000,
    elapsed: () => seconds * 1000,
    signal: stop.signal,
    failed: (what, error) => void failed.push(`${what}: ${String(error)}`),
  });
});
afterEach(async () => {
  stop.abort();
  await Promise.all(running);
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

const begin = (name: string, work: () => Promise<void>) => running.push(loops.again(name, 1, work));
const until = (isSo: () => boolean) => expect.poll(isSo, { interval: 1, timeout: 10_000 }).toBe(true);
/** Judged as often as nobody is stopped. */
async function pass(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 50) {
    seconds += 50;
    await loops.judge();
  }
}
const check = (name: string) => book.checks.find((one) => one.name === name);
const troubles = () => book.open.map(({ trouble, what }) => `${trouble}: ${what}`);
const series = async () => {
  const registry = new Registry();
  countAudit({ ...AUDITOR_OFF, status: () => ({ ...AUDITOR_OFF.status(), checks: book.checks }) }, registry);
  return registry.metrics();
};

test("a loop that ends in a fault keeps no check green that it does not reach, and is an alarm until it ends without", async () => {
  let isBroken = false;
  begin("edge of rekor", async () => {
    loops.report.passed("edge of rekor", "all is well");
    if (isBroken) throw new Error("no space left on device");
    loops.report.passed("stored tip of rekor", "all is well");
  });
  await until(() => check("stored tip of rekor")?.state === "passed");
  await loops.judge();
  expect(check("the auditor's own loops")?.state).toBe("passed");
  isBroken = true;
  seconds += 5;
  await until(() => failed.length > 2);
  expect(check("edge of rekor")?.state).toBe("passed");
  expect(check("stored tip of rekor")).toMatchObject({
    state: "unknown",
    at: "2026-11-22T12:00:00Z",
    what: expect.stringContaining('not looked at since 2026-11-22T12:00:00Z: the auditor\'s own loop "edge of rekor"'),
  });
  expect(await series()).not.toContain('chancery_audit_check_passed{check="stored tip of rekor"}');
  await loops.judge();
  expect(troubles()).toEqual([]);
  seconds += 61;
  await loops.judge();
  expect(troubles()).toEqual([
    'auditor-fault: the auditor\'s own loop "edge of rekor" ends in a fault: no space left on device',
  ]);
  expect(await series()).toContain('chancery_audit_check_passed{check="the auditor\'s own loops"} 0');
  isBroken = false;
  await until(() => check("stored tip of rekor")?.state === "passed");
  await loops.judge();
  expect(troubles()).toEqual([]);
});

test("a loop that waits for what never comes is an alarm after five minutes, and its checks are not green", async () => {
  let goOn: (() => void) | undefined;
  let isHanging = false;
  begin("rows of rekor", async () => {
    loops.report.passed("stored rows of rekor", "all rows agree");
    if (isHanging) await new Promise<void>((resolve) => (goOn = resolve));
  });
  await until(() => check("stored rows of rekor")?.state === "passed");
  isHanging = true;
  const before = goOn;
  await until(() => goOn !== before);
  seconds += 299;
  await loops.judge();
  expect(troubles()).toEqual([]);
  seconds += 2;
  await loops.judge();
  expect(troubles()).toEqual([
    'auditor-fault: the auditor\'s own loop "rows of rekor" stands still since 2026-11-22T12:00:00Z',
  ]);
  expect(check("stored rows of rekor")?.state).toBe("unknown");
  isHanging = false;
  goOn?.();
  await until(() => check("stored rows of rekor")?.state === "passed");
  await loops.judge();
  expect(troubles()).toEqual([]);
});

test("a loop that rests, or is answered, for hours is no alarm", async () => {
  let step: (() => void) | undefined;
  let steps = 0;
  const next = () =>
    new Promise<void>((resolve) => {
      step = () => (steps++, resolve());
      if (stop.signal.aborted) resolve();
      stop.signal.addEventListener("abort", () => resolve());
    });
  const answers = loops.listening({
    url: "https://drawn.example",
    state: directory,
    told: { alarm: () => {}, failed: () => {} },
    way: { fetch: async () => (await next(), new Response()) },
  });
  begin("entries of rekor", async () => {
    for (let page = 0; page < 100; page++) await answers.way?.fetch?.("https://drawn.example", {});
  });
  for (let page = 0; page < 20; page++) {
    const before = steps;
    await pass(250);
    await until(() => (step?.(), steps > before));
    await loops.judge();
    expect(troubles()).toEqual([]);
  }
  begin("index of rekor", async () => {
    loops.rests(7_200_000);
    await next();
  });
  await pass(250);
  expect(troubles()).toEqual([]);
});

test("a process that was stopped for ten minutes tells no loop of its own to stand still, unless it does so afterwards", async () => {
  running.push(
    loops.again("index of rekor", 60_000, async () => loops.report.passed("search index of rekor", "all is well")),
  );
  await until(() => check("search index of rekor")?.state === "passed");
  await loops.judge();
  seconds += 600;
  await loops.judge();
  expect(troubles()).toEqual([]);
  expect(check("search index of rekor")?.state).toBe("passed");
  await pass(250);
  expect(troubles()).toEqual([]);
  await pass(50);
  expect(troubles()).toEqual([expect.stringContaining('loop "index of rekor" stands still since')]);
});

test("a check that its loop does not tell any more is not green for ever", async () => {
  let isTold = true;
  let turns = 0;
  begin("heads", async () => {
    turns++;
    loops.report.passed("reach rekor", "answers");
    if (isTold) loops.report.passed("checkpoint of rekor", "all is well");
  });
  await until(() => check("checkpoint of rekor")?.state === "passed");
  isTold = false;
  const before = turns;
  await until(() => turns > before + 2);
  seconds += 601;
  const after = turns;
  await until(() => turns > after + 1);
  await loops.judge();
  expect(check("reach rekor")?.state).toBe("passed");
  expect(check("checkpoint of rekor")).toMatchObject({ state: "unknown", at: "2026-11-22T12:00:00Z" });
  expect(troubles()).toEqual([]);
});
