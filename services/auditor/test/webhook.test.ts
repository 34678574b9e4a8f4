import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Alarm, AlarmBook } from "../src/domain/alarm.ts";
import { Webhook } from "../src/public/webhook.ts";
import { StateFolder } from "../src/state/state-folder.ts";

const START = Date.parse("2026-11-21T12:00:00Z");

let directory: string;
let now = START;
let server: Server | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-webhook-"));
  now = START;
});
afterEach(async () => {
  server?.close();
  // That an alarm is over is written without anyone waiting for it.
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

interface Posted {
  readonly text: string;
  readonly alarm: Alarm;
}

/** Answers what `status` says of each. */
async function receiver(status: (posted: Posted) => number) {
  const bodies: Posted[] = [];
  server = createServer((request, response) => {
    void (async () => {
      const posted = JSON.parse(Buffer.concat(await request.toArray()).toString("utf8")) as Posted;
      bodies.push(posted);
      response.writeHead(status(posted)).end();
    })();
  });
  const listening = server;
  await new Promise<void>((done) => listening.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/hook`, bodies };
}

/** An auditor's alarms and its webhook, as they are after a start on the same folder. */
async function started(url: string) {
  const state = await StateFolder.open(directory);
  const stop = new AbortController();
  const failed: string[] = [];
  let hook: Webhook | undefined;
  const book = new AlarmBook(state, await state.alarms(), [() => hook?.wake()], () => now);
  hook = new Webhook(url, {
    alarms: () => book.alarms,
    report: book,
    memory: state,
    now: () => now,
    signal: stop.signal,
    failed: (reason) => failed.push(reason),
    pausesMs: [1],
  });
  const raise = (check: string) => book.failed(check, { trouble: "fork", what: `two roots seen by ${check}` });
  return { book, hook, raise, failed, stop };
}

test("an alarm and its end are posted in order, with what happened, what it means, what to do and the evidence", async () => {
  const { url, bodies } = await receiver(() => 200);
  const { book, hook, raise } = await started(url);
  await raise("a");
  book.passed("a", "well again");
  expect(await hook.deliver()).toBe(true);
  const [raised, over] = bodies;
  const [alarm] = book.alarms;
  expect(raised?.alarm.id).toBe(alarm?.id);
  for (const part of ["two roots seen by a", alarm?.meaning, alarm?.remedy]) expect(raised?.text).toContain(part);
  expect(raised?.text).toContain(`Evidence: ${alarm?.evidence}`);
  expect(over?.text).toBe("RESOLVED (a, since 2026-11-21T12:00:00Z): two roots seen by a");
  expect(bodies).toHaveLength(2);
});

test("a receiver that is down for hours, and an auditor that is started anew meanwhile, lose no alarm and tell none twice", async () => {
  let status = 503;
  const { url, bodies } = await receiver(() => status);
  const before = await started(url);
  await before.raise("a");
  await before.raise("b");
  expect(await before.hook.deliver()).toBe(false);
  expect(bodies.map(({ alarm }) => alarm.check)).toEqual(["a"]);
  now += 3 * 3_600_000;
  const after = await started(url);
  after.book.passed("a", "well again");
  expect(await after.hook.deliver()).toBe(false);
  status = 204;
  bodies.length = 0;
  expect(await after.hook.deliver()).toBe(true);
  expect(bodies.map(({ alarm, text }) => [alarm.check, alarm.resolved, text.startsWith("(Told late")])).toEqual([
    ["a", undefined, true],
    ["b", undefined, true],
    ["a", "2026-11-21T15:00:00Z", false],
  ]);
  bodies.length = 0;
  expect(await after.hook.deliver()).toBe(true);
  expect(await (await started(url)).hook.deliver()).toBe(true);
  expect(bodies).toEqual([]);
});

test("while it runs it tries again and again, and wakes up for what is new", async () => {
  let refusals = 3;
  const { promise, resolve } = Promise.withResolvers<void>();
  const { url, bodies } = await receiver(({ alarm }) => {
    if (alarm.check === "b") resolve();
    return refusals-- > 0 ? 503 : 200;
  });
  const { hook, raise, stop } = await started(url);
  await raise("a");
  const running = hook.run();
  await raise("b");
  await promise;
  stop.abort();
  await running;
  expect(bodies.map(({ alarm }) => alarm.check)).toEqual(["a", "a", "a", "a", "b"]);
});

test("that the webhook is down is an alarm of its own after a minute, which is not told to it", async () => {
  let status = 500;
  const { url, bodies } = await receiver(() => status);
  const { book, hook, raise } = await started(url);
  await raise("a");
  await hook.deliver();
  expect(book.open.map(({ check }) => check)).toEqual(["a"]);
  now += 61_000;
  await hook.deliver();
  expect(book.open.map(({ trouble }) => trouble)).toEqual(["webhook", "fork"]);
  status = 200;
  expect(await hook.deliver()).toBe(true);
  expect(book.open.map(({ trouble }) => trouble)).toEqual(["fork"]);
  expect(new Set(bodies.map(({ alarm }) => alarm.check))).toEqual(new Set(["a"]));
});

test("one alarm that the receiver does not want holds up no others", async () => {
  const { url, bodies } = await receiver(({ alarm }) => (alarm.check === "a" ? 400 : 200));
  const { hook, raise, failed } = await started(url);
  await raise("a");
  await raise("b");
  for (let attempt = 0; attempt < 4; attempt++) expect(await hook.deliver()).toBe(false);
  expect(await hook.deliver()).toBe(true);
  expect(bodies.at(-1)?.alarm.check).toBe("b");
  expect(failed).toEqual([expect.stringMatching(/answers 400; not told: two roots seen by a$/)]);
});

test("more alarms than anyone can read, and those of last week, are kept back, and that is said", async () => {
  const { url, bodies } = await receiver(() => 200);
  const { hook, raise, failed } = await started(url);
  await raise("of last week");
  now += 8 * 86_400_000;
  for (let count = 0; count < 102; count++) await raise(`check ${count}`);
  expect(await hook.deliver()).toBe(true);
  expect(bodies).toHaveLength(100);
  expect(bodies[0]?.alarm.check).toBe("check 2");
  expect(failed).toEqual([expect.stringMatching(/^webhook: 3 alarms were not told/)]);
});

test("a webhook that is new is told of what is open, not of what is over", async () => {
  const { url, bodies } = await receiver(() => 200);
  const { book, raise } = await started(url);
  await raise("over");
  book.passed("over", "well again");
  await raise("open");
  const { hook } = await started(url);
  expect(await hook.deliver()).toBe(true);
  expect(bodies.map(({ alarm }) => alarm.check)).toEqual(["open"]);
});

test("a certificate whose name calls a whole channel calls nobody", async () => {
  const { url, bodies } = await receiver(() => 200);
  const { book, hook } = await started(url);
  const what = "certificate of <!channel> @here <https://evil.example|our runbook>";
  await book.failed("certificates", { trouble: "certificate-profile", what });
  await hook.deliver();
  expect(bodies[0]?.text).not.toMatch(/<|@here|:\/\//);
  expect(bodies[0]?.alarm.what).toBe(what);
});
