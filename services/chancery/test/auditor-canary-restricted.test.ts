import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Auditor, AuditorOptions } from "@chancery/auditor";
import { startFakeIssuer } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { canaryLeftOut } from "../src/canary-rules.ts";
import { resolveSettings } from "../src/index.ts";
import { openTroubles, TamperedStack } from "./tampered-stack.ts";

/*
 * What keeps the canary out on purpose: no alarm; what kept it out only since yesterday: one that asks whether it was meant.
 */

const P384 = "ecdsa-sha2-384-nistp384";
const V1 = "/api/v1/log/entries";

// On a machine that is busy with other things a round of the canary takes its time.
vi.setConfig({ testTimeout: 120_000 });

let folder: string;
let issuer: Awaited<ReturnType<typeof startFakeIssuer>>;
let issuers: object;
let world: TamperedStack;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "canary-rules-"));
  issuer = await startFakeIssuer();
  issuers = { [issuer.url]: { "issuer-url": issuer.url, "client-id": "sigstore", type: "email" } };
  const config = join(folder, "config.json");
  const chancery = {
    rekor: { "client-signing-algorithms": [P384] },
    fulcio: { "client-signing-algorithms": [P384] },
  };
  await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery }));
  world = await TamperedStack.start({ config });
}, 120_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const states = (auditor: Auditor) =>
  Object.fromEntries(
    auditor
      .status()
      .checks.filter(({ name }) => name.startsWith("canary"))
      .map(({ name, state }) => [name, state]),
  );

/** An auditor of whom the answer to some requests is another. */
async function answered(name: string, options: Partial<AuditorOptions> = {}) {
  const answers: { of?: (path: string, method: string | undefined) => Response | undefined } = {};
  const reach = async (url: string, request: RequestInit) => {
    const { pathname } = new URL(url);
    return answers.of?.(pathname, request.method) ?? fetch(url, request);
  };
  const auditor = await world.auditor(name, { way: { fetch: reach }, ...options });
  const sing = async (times = 1) => {
    for (let round = 0; round < times; round++) await auditor.sing();
    return openTroubles(auditor.status());
  };
  return { auditor, answers, sing };
}

const refusing =
  (status: number, text = "no") =>
  (path: string, method: string | undefined) =>
    path === V1 && method === "POST" ? new Response(text, { status }) : undefined;

test("a CA and logs that take no P-256 keys are no alarm, and get another key", async () => {
  const file = join(folder, "token");
  await writeFile(file, await issuer.token());
  const auditor = await world.auditor("p384", { canary: { everyMs: 60_000, token: { file } } });
  await auditor.sing();
  expect(openTroubles(auditor.status())).toEqual([]);
  const refused = ["canary certificate", "canary entry in rekor", "canary entry in rekor-v2"];
  expect(states(auditor)).toMatchObject(Object.fromEntries(refused.map((name) => [name, "unknown"])));
  await auditor.sing();
  await auditor.sweep();
  expect(openTroubles(auditor.status())).toEqual([]);
  expect(states(auditor)).toEqual({
    "canary certificate": "passed",
    "canary entry in rekor": "passed",
    "canary entry in rekor-v2": "passed",
    "canary timestamp": "passed",
  });
});

test("a certificate that is in another's CT log, which is not audited here, is as good", async () => {
  const file = join(folder, "token");
  await writeFile(file, await issuer.token());
  const canary = { everyMs: 60_000, token: { file } };
  const { auditor, answers, sing } = await answered("foreign", { canary });
  const root = (await (await fetch(`${world.stack.url}/trust/trusted_root.json`)).json()) as { ctlogs: object[] };
  const ctlogs = root.ctlogs.map((log) => ({ ...log, baseUrl: "https://ct.example/2026" }));
  answers.of = (path) => (path === "/trust/trusted_root.json" ? Response.json({ ...root, ctlogs }) : undefined);
  await sing(2);
  expect(auditor.status().logs.map(({ log }) => log)).toEqual(["rekor", "rekor-v2"]);
  expect(states(auditor)).toMatchObject({ "canary certificate": "passed" });
});

describe("a log that refuses the canary", () => {
  test.for([400, 401, 403, 422, 501])("with %i since the first day is no alarm", async (status) => {
    const { auditor, answers, sing } = await answered(`always-${status}`);
    answers.of = refusing(status);
    expect(await sing(5)).toEqual([]);
    expect(states(auditor)).toMatchObject({ "canary entry in rekor": "unknown", "canary entry in rekor-v2": "passed" });
  });

  test.for([400, 403])("with %i where it took it before is one, which is over when it does again", async (status) => {
    const { answers, sing } = await answered(`since-${status}`);
    expect(await sing(2)).toEqual([]);
    answers.of = refusing(status);
    expect(await sing(3)).toEqual(["canary-refused"]);
    delete answers.of;
    expect(await sing(2)).toEqual([]);
  });

  test("with 429, because it has had as much as it may in an hour, is no alarm", async () => {
    const { auditor, answers, sing } = await answered("rate");
    await sing(2);
    answers.of = refusing(429);
    expect(await sing(4)).toEqual([]);
    expect(states(auditor)).toMatchObject({ "canary entry in rekor": "unknown" });
  });

  test("because it is frozen is told once; one that takes entries again after that is an alarm", async () => {
    const { answers, sing } = await answered("frozen");
    await sing(2);
    answers.of = refusing(405);
    expect(await sing()).toEqual(["frozen"]);
    expect(await sing()).toEqual([]);
    const again = await answered("frozen-from-the-first-day");
    again.answers.of = refusing(405);
    expect(await again.sing(2)).toEqual([]);
    delete answers.of;
    expect(await sing(2)).toEqual(["changed-state"]);
  });

  test("by the auditor's own configuration is not asked at all, and what it told before is over", async () => {
    const { sing, answers, auditor } = await answered("left-out");
    await sing(2);
    answers.of = refusing(403);
    expect(await sing()).toEqual(["canary-refused"]);
    await auditor[Symbol.asyncDispose]();
    const leftOut = { rekor: "it is closed" };
    const closed = await answered("left-out", { canary: { everyMs: 60_000, leftOut } });
    const asked: string[] = [];
    closed.answers.of = (path, method) => void asked.push(`${method} ${path}`);
    expect(await closed.sing()).toEqual([]);
    expect(asked.filter((request) => request === `POST ${V1}`)).toEqual([]);
    expect(states(closed.auditor)).toMatchObject({ "canary entry in rekor": "unknown" });
  });
});

async function shown(name: string) {
  let now = Date.now();
  const stale = new Map<string, Response>();
  const watching = await answered(name, { now: () => now });
  const { auditor, answers } = watching;
  await auditor.sing();
  await auditor.sweep();
  for (const path of ["/api/v1/log/checkpoint", "/api/v2/checkpoint"]) {
    stale.set(path, await fetch(world.stack.url + path));
  }
  answers.of = (path) => stale.get(path)?.clone();
  await auditor.sing();
  const pass = async (seconds: number) => {
    now += seconds * 1000;
    await auditor.sweep();
    return openTroubles(auditor.status()).filter((trouble) => trouble !== "clock" && trouble !== "clock-step");
  };
  return { answers, pass };
}

describe("what the canary is shown and others are not", () => {
  test("is a split view, and is kept as a checkpoint that was seen", async () => {
    const { pass } = await shown("hidden");
    expect(await pass(2)).toEqual([]);
    expect(await pass(30)).toContain("split-view");
  });

  test("is none while the log restarts for half a minute", async () => {
    const { answers, pass } = await shown("restarts");
    expect(await pass(2)).toEqual([]);
    answers.of = (path) => {
      if (path.endsWith("/checkpoint")) throw new Error("connection refused");
      return undefined;
    };
    expect(await pass(15)).toEqual([]);
    expect(await pass(14)).toEqual([]);
    delete answers.of;
    expect(await pass(1)).toEqual([]);
    expect(await pass(30)).toEqual([]);
  });
});

describe("the rules of a log say beforehand that the canary is not let in", () => {
  test.for([
    [{ "entry-kinds": ["dsse"] }, ["rekor"]],
    [{ "api-operations": ["getLogEntryByUUID"] }, ["rekor"]],
    [{ admission: { rekor: { signers: { keys: ["a".repeat(64)] } } } }, ["rekor"]],
    [{ "entry-kinds": ["dsse", "hashedrekord"], "api-operations": ["createLogEntry"] }, []],
  ] as const)("%j", async ([rekor, expected]) => {
    const config = join(folder, "rules.json");
    await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery: { rekor } }));
    const settings = await resolveSettings({ config, data: folder }, {});
    expect(Object.keys(canaryLeftOut({ everyMs: 1, tokenFile: undefined, logs: undefined }, settings))).toEqual(
      expected,
    );
  });

  test("and so does its own configuration", async () => {
    const settings = await resolveSettings({ data: folder }, {});
    const canary = { everyMs: 1, tokenFile: undefined, logs: ["rekor"] as const };
    expect(canaryLeftOut(canary, settings)).toEqual({ "rekor-v2": "chancery.auditor.canary.logs leaves it out" });
  });
});

test("a canary without a token says that it asks for no certificate, and one that no log takes has not gone end to end", async () => {
  const leftOut = { rekor: "admission", "rekor-v2": "admission" };
  const { auditor, sing } = await answered("no-token", { canary: { everyMs: 60_000, leftOut } });
  expect(await sing()).toEqual([]);
  const { checks, canary } = auditor.status();
  expect(checks.find(({ name }) => name === "canary certificate")).toMatchObject({
    state: "unknown",
    what: expect.stringContaining("the canary has no identity token (chancery.auditor.canary.token-file"),
  });
  expect(states(auditor)).toMatchObject({ "canary entry in rekor": "unknown", "canary timestamp": "passed" });
  expect(canary.lastSuccess).toBeNull();
});
