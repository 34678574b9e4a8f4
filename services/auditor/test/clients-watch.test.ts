import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AlarmBook } from "../src/domain/alarm.ts";
import { clientsPlaces } from "../src/public/clients-heads.ts";
import { LogFolder } from "../src/state/log-folder.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { ClientsWatch } from "../src/watch/clients-watch.ts";
import { LogWatch } from "../src/watch/log-watch.ts";
import { DrawnLog } from "./drawn-log.ts";

let directory: string;
let now = Date.parse("2026-11-22T12:00:00Z");
const opened: LogFolder[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-clients-"));
});
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

const HOME = "https://drawn.example";

async function logOf(count: number, tree = 7, signer?: DrawnLog["signer"]): Promise<DrawnLog> {
  const log = new DrawnLog(DrawnLog.named(count, ` of ${tree}`), signer, tree);
  await log.publish();
  return log;
}

/** A vantage point that answers for the v1 log as a proxy does; no log need be watched. */
async function vantagePoint(answering: () => Response, { isMain = false } = {}) {
  const state = await StateFolder.open(directory);
  const alarms = new AlarmBook(state, [], [], () => now);
  const answer = { by: answering };
  const watch = new ClientsWatch(clientsPlaces(HOME, { isMain, fetch: async () => answer.by() }), {
    report: alarms,
    now: () => now,
    shards: () => [],
    isWhole: () => true,
    find: async () => true,
    memory: state,
  });
  const look = async (minutes: number) => {
    for (let at = 0; at < minutes * 4; at++) {
      now += 15_000;
      await watch.check();
    }
    return alarms.open.map(({ trouble, what }) => `${trouble}: ${what}`);
  };
  const states = () => alarms.checks.flatMap(({ name, state: one }) => (name.startsWith("checkpoint at") ? one : []));
  return { answer, look, states };
}

const page = () => new Response("<!doctype html><title>ours</title>\n\n<p>— us</p>\n");
const redirect = () => new Response(null, { status: 302, headers: { Location: "https://login.example" } });
const busy = () => new Response("no backend", { status: 503 });

const headOf = (log: DrawnLog) => ({ signedTreeHead: Buffer.from(log.note).toString() });

/** Clients of an installation whose v1 log has these shards; what they are shown a test may exchange. */
async function clients(...shards: DrawnLog[]) {
  const state = await StateFolder.open(directory);
  const alarms = new AlarmBook(state, await state.alarms(), [], () => now);
  const shown = { text: shards.at(-1), json: shards.at(-1), inactive: shards.slice(0, -1), status: 200 };
  const asked: string[] = [];
  const fetch = async (url: string) => {
    asked.push(url);
    if (shown.status !== 200) return new Response("no", { status: shown.status });
    if (url.endsWith("/checkpoint")) return new Response(Buffer.from(shown.text?.note ?? []));
    return Response.json({ inactiveShards: shown.inactive.map(headOf), ...(shown.json && headOf(shown.json)) });
  };
  const watches: LogWatch[] = [];
  const watch = async (log: DrawnLog) => {
    const name = watches.length === 0 ? "rekor" : `rekor-shard-${watches.length + 1}`;
    const folder = await LogFolder.open(join(directory, "logs", name));
    opened.push(folder);
    const watching = new LogWatch({ ...log.log, name }, [log.served()], folder, { report: alarms, now: () => now });
    await watching.pass();
    watches.push(watching);
  };
  for (const shard of shards) await watch(shard);
  /** What the installation names beside those that are watched. */
  const named: DrawnLog[] = [];
  const watchClients = new ClientsWatch(clientsPlaces(HOME, { fetch }), {
    report: alarms,
    now: () => now,
    shards: () => watches,
    isWhole: () => true,
    find: async () => {
      for (const log of named.splice(0)) await watch(log);
      return true;
    },
    memory: state,
  });
  const look = async (seconds = 5) => {
    now += seconds * 1000;
    for (const one of watches) await one.pass();
    await watchClients.check();
    return alarms.open.map(({ trouble, what }) => `${trouble}: ${what}`);
  };
  return { alarms, asked, look, named, shown };
}

test.for(["text", "json"] as const)(
  "a checkpoint of a tree that nobody watches, signed by another's key, is an alarm where clients are shown it as %s",
  async (place) => {
    const log = await logOf(3);
    const { look, shown } = await clients(log);
    shown[place] = await logOf(9, 13);
    expect(await look()).toEqual([]);
    expect(await look(55)).toEqual([]);
    expect(await look()).toEqual([
      expect.stringMatching(
        /^unnamed-tree: \S+ shows a checkpoint of the tree drawn\.example - 13, which is not among/,
      ),
    ]);
    shown[place] = log;
    expect(await look()).toEqual([]);
  },
);

test("a second tree that the log's own key signed is an alarm for ever, though it was shown once", async () => {
  const log = await logOf(3);
  const before = await clients(log);
  before.shown.text = await logOf(9, 13, log.signer);
  expect(await before.look()).toEqual([]);
  before.shown.text = log;
  expect(await before.look(61)).toEqual([expect.stringContaining("signed by a key of the v1 log, which has no such")]);
  const { look } = await clients(log);
  expect(await look()).toEqual([expect.stringContaining("drawn.example - 13 was shown")]);
});

test("a new shard that clients are shown before it is looked for raises no alarm, and is judged at once", async () => {
  const [first, second] = [await logOf(3), await logOf(2, 8)];
  const { alarms, look, named, shown } = await clients(first);
  expect(await look()).toEqual([]);
  Object.assign(shown, { text: second, json: second, inactive: [first] });
  named.push(second);
  expect(await look()).toEqual([]);
  const states = alarms.checks.filter(({ name }) => name.startsWith("checkpoint at"));
  expect(states.map(({ state }) => state)).toEqual(["passed", "passed"]);
  expect(await look(3600)).toEqual([]);
});

test("a checkpoint that stood still is no alarm any more once another shard followed", async () => {
  const [first, second] = [await logOf(3), await logOf(2, 8)];
  const { look, named, shown } = await clients(first);
  await look();
  const old = await logOf(3);
  old.note = first.note;
  shown.text = old;
  first.leaves.push(...DrawnLog.named(4).map((leaf) => Buffer.from(leaf)));
  await first.publish();
  await look();
  expect(await look(30)).toEqual([expect.stringMatching(/^stale: .*\/checkpoint shows size 3, .* shows 7$/)]);
  named.push(second);
  Object.assign(shown, { text: second, json: second, inactive: [first] });
  expect(await look()).toEqual([]);
});

test("a process that goes on showing the shard before the newest is told after ten minutes", async () => {
  const [first, second] = [await logOf(3), await logOf(2, 8)];
  const { look, shown } = await clients(first, second);
  expect(await look()).toEqual([]);
  shown.text = first;
  for (let minute = 0; minute < 10; minute++) expect(await look(60)).toEqual([]);
  expect(await look(60)).toEqual([
    expect.stringMatching(/^stale: \S+ shows rekor as the shard that takes entries, which rekor-shard-2 has followed$/),
  ]);
  shown.text = second;
  expect(await look()).toEqual([]);
});

test("the head of a shard that was followed is judged where clients are shown it", async () => {
  const [first, second] = [await logOf(3), await logOf(2, 8)];
  const { look, shown } = await clients(first, second);
  const forked = await logOf(3, 7, first.signer);
  forked.leaves[0] = Buffer.from("another");
  await forked.publish();
  shown.inactive = [forked];
  expect(await look()).toEqual([expect.stringMatching(/^fork: a checkpoint of rekor of size 3 has the root/)]);
});

test.for([404, 403, 501, 503])(
  "what clients were shown and is answered with %i from then on is an alarm in a minute, until it is shown again",
  async (status) => {
    const { alarms, look, shown } = await clients(await logOf(3));
    expect(await look()).toEqual([]);
    shown.status = status;
    expect(await look()).toEqual([]);
    expect(await look(25)).toEqual([]);
    for (let seconds = 0; seconds < 40; seconds += 5) await look();
    const told = await look();
    expect(told).not.toEqual([]);
    for (const one of told) if (status !== 503) expect(one).toContain("if it was closed on purpose, take shown-to");
    const states = alarms.checks.filter(({ name }) => name.startsWith("checkpoint at"));
    expect(states.map(({ state }) => state)).toEqual(["failing", "failing"]);
    shown.status = 200;
    expect(await look()).toEqual([]);
  },
);

test.for([404, 403, 501])("what was never shown to clients, and is answered with %i, is no alarm", async (status) => {
  const { alarms, look, shown } = await clients(await logOf(3));
  shown.status = status;
  for (let minute = 0; minute < 5; minute++) expect(await look(60)).toEqual([]);
  expect(alarms.checks.filter(({ name }) => name.startsWith("checkpoint at"))).toEqual([]);
});

test("what is answered with 503 to clients since the start is an alarm", async () => {
  const { look, shown } = await clients(await logOf(3));
  shown.status = 503;
  expect(await look()).toEqual([]);
  expect(await look(61)).toEqual([expect.stringMatching(/^out-of-service: https:\/\/drawn\.example answers 503/)]);
});

test.for<[string, () => Response, readonly string[]]>([
  ["a web page for every path", page, []],
  ["a redirect", redirect, []],
  ["503 without a backend", busy, ["unknown", "unknown"]],
])("a vantage point that never showed the v1 log and answers with %s is no alarm", async ([, answer, states]) => {
  const place = await vantagePoint(answer);
  expect(await place.look(20)).toEqual([]);
  expect(place.states()).toEqual(states);
});

test.for([page, redirect, busy])(
  "the installation's own URL that never showed the v1 log is an alarm",
  async (answer) => {
    const place = await vantagePoint(answer, { isMain: true });
    expect(await place.look(5)).not.toEqual([]);
  },
);

test("what could not be had at the start and then is not served is over", async () => {
  const place = await vantagePoint(busy, { isMain: true });
  expect(await place.look(2)).toHaveLength(1);
  place.answer.by = () => new Response("closed", { status: 501 });
  expect(await place.look(1)).toEqual([]);
});

test.for([page, redirect, busy])(
  "a vantage point that showed the v1 log once and does so no more is an alarm, over a restart too",
  async (answer) => {
    const log = await logOf(3);
    const before = await vantagePoint(() => Response.json(headOf(log)));
    await before.look(1);
    const place = await vantagePoint(answer);
    expect(await place.look(5)).not.toEqual([]);
    expect(place.states()).toContain("failing");
  },
);

test("two URLs are asked for once, however many shards there are", async () => {
  const { asked, look } = await clients(await logOf(3), await logOf(2, 8), await logOf(1, 9));
  asked.length = 0;
  await look();
  expect(asked).toEqual([`${HOME}/api/v1/log/checkpoint`, `${HOME}/api/v1/log`]);
});
