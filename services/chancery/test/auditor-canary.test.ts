import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failing, type Lie, openTroubles, TamperedStack } from "./tampered-stack.ts";

let world: TamperedStack;
beforeAll(async () => {
  world = await TamperedStack.start();
  await world.logV1(5);
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

test("a certificate, an entry in each log and a timestamp are made and verify", async () => {
  const auditor = await world.auditor("honest", { tokenUrl: `${world.stack.url}/idp/token?email=canary@example.com` });
  await auditor.sing();
  await auditor.sweep();
  const { checks, canary } = auditor.status();
  expect(failing(auditor.status())).toEqual([]);
  const sung = checks.filter(({ name }) => name.startsWith("canary")).map(({ name }) => name);
  expect(sung).toEqual(["canary certificate", "canary entry in rekor", "canary entry in rekor-v2", "canary timestamp"]);
  expect(canary).toMatchObject({ failures: 0, latencyMillis: expect.any(Number), identities: ["canary@example.com"] });
  // What it logged is of a kind that it judges itself.
  expect(checks.find(({ name }) => name === "entries of rekor")?.what).toMatch(/^6 entries/);
});

test("before its first canary the auditor says that it waits for one, and is not green", async () => {
  await using auditor = await world.auditor("waiting", { canary: { everyMs: 3_600_000 } });
  auditor.start();
  await expect.poll(() => auditor.status().lastPass, { timeout: 30_000 }).not.toBeNull();
  expect(auditor.status().checks.find(({ name }) => name === "canary timestamp")).toMatchObject({
    state: "unknown",
    what: "the first canary comes 3600 s after the start",
  });
}, 60_000);

/** A member of the answer, wherever it stands, made another. */
const changed =
  <Value>(name: string, change: (value: Value) => unknown): Lie =>
  (truth) =>
    JSON.stringify(
      JSON.parse(truth.toString("utf8"), (key, value: unknown) => (key === name ? change(value as Value) : value)),
    );
const otherHex = (text: string) => (text.startsWith("0") ? "1" : "0") + text.slice(1);
const otherBase64 = (text: string) => (text.startsWith("A") ? "B" : "A") + text.slice(1);
const flipped =
  (at: number): Lie =>
  (truth) => {
    const bytes = Uint8Array.from(truth);
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    return bytes;
  };

const V1 = "/api/v1/log/entries";
const V2 = "/api/v2/log/entries";
const LIES: [what: string, path: string, lie: Lie, trouble: string][] = [
  ["another body", V1, changed("body", (text: string) => otherBase64(text)), "canary-failed"],
  [
    "another hash in the proof",
    V1,
    changed("hashes", ([first, ...rest]: string[]) => [otherHex(first!), ...rest]),
    "canary-failed",
  ],
  ["a hash too few", V1, changed("hashes", (hashes: string[]) => hashes.slice(1)), "canary-failed"],
  ["another index in proof and promise", V1, changed("logIndex", (index: number) => index + 1), "canary-failed"],
  ["another time", V1, changed("integratedTime", (time: number) => time - 3600), "canary-failed"],
  [
    "another promise",
    V1,
    changed("signedEntryTimestamp", (text: string) => `M${otherBase64(text.slice(1))}`),
    "canary-failed",
  ],
  [
    "another checkpoint",
    V1,
    changed("checkpoint", (note: string) => note.replace(/\n\d+\n/, "\n4\n")),
    "canary-failed",
  ],
  ["another body (v2)", V2, changed("canonicalizedBody", (text: string) => otherBase64(text)), "canary-failed"],
  [
    "a checkpoint of another tree (v2)",
    V2,
    changed("envelope", (note: string) => note.replace(/\n\d+\n/, "\n9\n")),
    "canary-failed",
  ],
  ["another index (v2)", V2, changed("logIndex", (index: string) => String(Number(index) + 1)), "canary-failed"],
  ["a timestamp with another signature", "/api/v1/timestamp", flipped(-3), "canary-failed"],
  ["a timestamp of something else", "/api/v1/timestamp", flipped(120), "canary-failed"],
];

describe("an answer that does not verify is an alarm at once", () => {
  test.for(LIES)("%s", async ([what, path, lie, trouble]) => {
    const liar = await world.liar();
    const auditor = await world.auditor(`lie-${what.replaceAll(/\W/g, "-")}`, { url: liar.url });
    liar.lies.set(path, lie);
    await auditor.sing();
    expect(openTroubles(auditor.status())).toEqual([trouble]);
    liar.lies.clear();
    await auditor.sing();
    expect(openTroubles(auditor.status())).toEqual([]);
  });
});

describe("an earlier answer in place of this one's, good as it was", () => {
  const REPLAYED: [path: string, check: string][] = [
    [V1, "canary entry in rekor"],
    [V2, "canary entry in rekor-v2"],
    ["/api/v2/signingCert", "canary certificate"],
  ];
  test.for(REPLAYED)("%s", async ([path, check]) => {
    const liar = await world.liar();
    const auditor = await world.auditor(`replay-${check.replaceAll(" ", "-")}`, {
      url: liar.url,
      tokenUrl: `${world.stack.url}/idp/token?email=canary@example.com`,
    });
    let first: Uint8Array | undefined;
    liar.lies.set(path, (truth) => (first ??= truth));
    await auditor.sing();
    expect(openTroubles(auditor.status())).toEqual([]);
    await auditor.sing();
    const failed = auditor.status().checks.filter(({ name, state }) => name === check && state === "failing");
    expect(failed).toEqual([expect.objectContaining({ what: expect.stringContaining("that came back") })]);
    expect(openTroubles(auditor.status())).toContain("canary-failed");
  });
});
