import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Alarm } from "../src/domain/alarm.ts";
import { Webhook } from "../src/public/webhook.ts";

const alarm: Alarm = {
  id: "1",
  since: "2026-11-21T12:00:00Z",
  severity: "critical",
  check: "checkpoint of rekor",
  trouble: "fork",
  what: "two roots at size 7",
  meaning: "Two histories.",
  remedy: "Stop the log.",
  evidence: "/var/lib/auditor/evidence/fork.json",
};

let server: Server;
afterEach(() => void server.close());

/** Answers with each of these in turn; resolves with the bodies once all were asked for. */
async function receiver(statuses: readonly number[]) {
  const bodies: { text: string; alarm: Alarm }[] = [];
  const { promise, resolve } = Promise.withResolvers<typeof bodies>();
  server = createServer((request, response) => {
    void (async () => {
      bodies.push(JSON.parse(Buffer.concat(await request.toArray()).toString("utf8")) as (typeof bodies)[number]);
      response.writeHead(statuses[bodies.length - 1] ?? 200).end();
      if (bodies.length === statuses.length) resolve(bodies);
    })();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, bodies: promise };
}

test("an alarm and its end are posted in order, with what happened, what it means, what to do and the evidence", async () => {
  const { url, bodies } = await receiver([200, 200]);
  const hook = new Webhook(url, new AbortController().signal, () => {});
  hook.tell(alarm);
  hook.tell({ ...alarm, resolved: "2026-11-21T12:05:00Z" });
  const [raised, over] = await bodies;
  expect(raised?.alarm).toEqual(alarm);
  for (const part of [alarm.what, alarm.meaning, alarm.remedy, alarm.evidence]) expect(raised?.text).toContain(part);
  expect(over?.text).toBe("RESOLVED (checkpoint of rekor, since 2026-11-21T12:00:00Z): two roots at size 7");
});

test("a receiver that is down for a moment is told again", async () => {
  const { url, bodies } = await receiver([503, 200]);
  new Webhook(url, new AbortController().signal, () => {}).tell(alarm);
  expect((await bodies).map(({ alarm: told }) => told.id)).toEqual(["1", "1"]);
});

test("more alarms than anyone can read are kept back, and that is said", async () => {
  const { url } = await receiver([200]);
  const told: string[] = [];
  const stop = new AbortController();
  const hook = new Webhook(url, stop.signal, (reason) => told.push(reason));
  for (let count = 0; count < 101; count++) hook.tell(alarm);
  stop.abort();
  expect(told).toEqual(["webhook: more than 100 alarms wait"]);
});
