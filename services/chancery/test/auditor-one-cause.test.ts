import { createHash } from "node:crypto";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Auditor } from "@chancery/auditor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TamperedStack } from "./tampered-stack.ts";

/*
 * One thing that is wrong is one alarm, however many checks see it and however much follows from it.
 */

let world: TamperedStack;
beforeAll(async () => {
  world = await TamperedStack.start();
  await world.logV1(3);
  await world.logV2(2);
  await world.issue(5);
}, 120_000);
afterAll(() => world?.[Symbol.asyncDispose]());

/** Of this machine's own, and of a clock that a test moves, there may be others. */
const OWN = /^(?:disk|clock|clock-step)$/;
const open = (auditor: Auditor) =>
  auditor.status().alarms.filter(({ resolved, trouble }) => resolved === undefined && !OWN.test(trouble));
const troubles = (auditor: Auditor) => open(auditor).map(({ trouble }) => trouble);
const check = (auditor: Auditor, name: string) => auditor.status().checks.find((one) => one.name === name);

test("a name that was edited in the ledger is told as an edited row, and the CA goes on", async () => {
  const auditor = await world.auditor("edited row");
  const [row] = await world.owner.query<{ serial: Uint8Array; san: string }>(
    "SELECT serial, san FROM fulcio.certificate LIMIT 1",
  );
  const rename = (san: string) =>
    ["UPDATE fulcio.certificate SET san = $1 WHERE serial = $2", san, row?.serial] as const;
  await world.run([rename("someone@else.example")]);
  await auditor.sweep();
  const [alarm, ...others] = open(auditor);
  expect(others).toEqual([]);
  expect(alarm).toMatchObject({
    trouble: "changed-ledger",
    what: expect.stringContaining("its row has the name someone@else.example, the certificate in it dev@example.com"),
    meaning: expect.stringContaining("The certificate itself is untouched"),
    remedy: expect.not.stringContaining("Stop the CA"),
  });
  await world.run([rename(row?.san ?? "")]);
  await auditor.sweep();
  expect(open(auditor)).toEqual([]);
}, 60_000);

/** As a log answers whose database was restored from an older backup: by then it has signed more. */
const REFUSAL = "rekor: the database holds fewer entries than were signed";
const refusing = async () => Response.json({ code: 503, message: REFUSAL }, { status: 503 });

async function anchorOfTomorrow(folder: string): Promise<string> {
  const anchor = join(world.stack.data, folder);
  await cp(join(world.stack.data, "anchor"), anchor, { recursive: true });
  const log = join(anchor, "rekor");
  const name =
    (await readdir(log))
      .filter((file) => /^\d{16}$/.test(file))
      .toSorted()
      .at(-1) ?? "";
  const lines =
    (await readFile(join(log, name), "utf8")).replace(/\nsize \d+\n/, "\nsize 1000\n").split("sum ")[0] ?? "";
  const sum = createHash("sha256").update(lines).digest("hex");
  await writeFile(join(log, String(Number(name) + 1).padStart(16, "0")), `${lines}sum ${sum}\n`);
  return anchor;
}

test("a log that refuses because its database is behind its anchor is a critical alarm at once, and its refusal is one soon", async () => {
  let now = Date.now();
  const anchor = await anchorOfTomorrow("newer anchor");
  const insight = { db: world.owner, anchor };
  const auditor = await world.auditor("refusing", { way: { fetch: refusing }, insight, now: () => now });
  await auditor.sweep();
  expect(open(auditor).map(({ severity, trouble, what }) => ({ severity, trouble, what }))).toEqual([
    {
      severity: "critical",
      trouble: "head-order",
      what: expect.stringMatching(/^the database of rekor is at \d+, the anchor at 1000$/),
    },
  ]);
  now += 61_000;
  await auditor.sweep();
  expect(troubles(auditor)).toEqual(["out-of-service", "head-order"]);
  expect(open(auditor)[0]?.what).toBe(
    `${world.stack.url} answers 503: ${REFUSAL}; ${world.stack.url} cannot be read (${world.stack.url}/trust/trusted_root.json: answers 503)`,
  );
}, 60_000);

test("a server that is away is one alarm, says its reason once it answers, and the alarm is over when it is back", async () => {
  let now = Date.now();
  let answer: (() => Promise<Response>) | undefined;
  const fetchIt = async (url: string, request: RequestInit) => answer?.() ?? fetch(url, request);
  const auditor = await world.auditor("away", { way: { fetch: fetchIt }, now: () => now });
  const after = async (seconds: number) => {
    now += seconds * 1000;
    await auditor.sweep();
    // A clock that is moved is told; what is away does not depend on it.
    return open(auditor).map(({ trouble, what }) => `${trouble}: ${what}`);
  };
  expect(await after(0)).toEqual([]);
  answer = async () => Promise.reject(new TypeError("fetch failed"));
  expect(await after(1)).toEqual([]);
  const gone = await after(61);
  expect(gone).toEqual([expect.stringContaining("cannot be reached")]);
  answer = refusing;
  await after(1);
  expect(await after(61)).toEqual([
    expect.stringContaining(`out-of-service: ${world.stack.url} answers 503: ${REFUSAL}`),
  ]);
  answer = undefined;
  expect(await after(1)).toEqual([]);
}, 60_000);

// Last: the log keeps what it read of the tile while it grew.
test("a flipped bit of a tile of the CT log is one alarm, whatever is issued after it", async () => {
  const auditor = await world.auditor("one tile");
  await auditor.sweep();
  expect(open(auditor)).toEqual([]);
  const ctlog = await world.logId("ctlog");
  const flip = "UPDATE log.tile SET hashes = set_byte(hashes, 5, get_byte(hashes, 5) # 1)";
  const change = [`${flip} WHERE log = $1 AND level = 0 AND index = 0 AND start = 0`, ctlog] as const;
  await world.run([change]);
  for (const _ of [1, 2, 3]) {
    await world.issue(2);
    await auditor.sweep();
    expect(troubles(auditor)).toEqual(["changed-tile"]);
  }
  // Nothing was proven of what came after: that is no news of the certificates.
  expect(
    check(
      auditor,
      auditor.status().checks.find(({ name }) => name.startsWith("new certificates in the ledger"))?.name ?? "",
    ),
  ).toMatchObject({
    state: "unknown",
    what: expect.stringMatching(/those behind are not: ctlog\/\d+ is proven up to 5 entries, and no further/),
  });
  expect(check(auditor, "heads of ctlog")?.state).toBe("passed");
}, 60_000);
