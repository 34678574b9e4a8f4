import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RefusedToSign, Unavailable } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileAnchor, type TransparencyLog } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, range, World } from "./world.ts";

const server = testServer();
let directory: string;
let made = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "two-anchors-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

const OUTGROWN = /its anchor is older than what was published/;

/** One log on one database, and two folders that each are told to be where its anchor lies. */
async function twoFolders() {
  const [folder, other] = [join(directory, `first-${++made}`), join(directory, `second-${made}`)];
  const { store } = await server.database();
  const world = new World({ store: await store(), anchor: await FileAnchor.open(folder, "log") });
  const elsewhere = async () => world.with({ store: await store(), anchor: await FileAnchor.open(other, "log") });
  const copy = () => cp(folder, other, { recursive: true });
  return { world, elsewhere, copy, other };
}

/** Logged, refused for good, or to be asked for again: nothing else may become of it. */
async function appendOrRefuse(world: World, log: TransparencyLog, text: string): Promise<void> {
  const outcome = await world.append(log, newEntry(text)).catch((error: unknown) => error);
  if (outcome instanceof Error) {
    expect(outcome instanceof RefusedToSign || outcome instanceof Unavailable, outcome.message).toBe(true);
  }
}

describe("two processes of one log that were told different folders for its anchor", () => {
  test("one whose folder is empty signs nothing, and tells the operator alone where it looked", async () => {
    const { world, elsewhere, other } = await twoFolders();
    const log = await world.start();
    await world.appendAll(log, newEntries(3));
    const signed = world.signer.signed.length;
    const second = await (await elsewhere()).start();
    const refused = await second.append(newEntry("refused")).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RefusedToSign);
    const { message, cause } = refused as RefusedToSign;
    expect(message).toMatch(/its anchor is missing and its database holds 3 entries/);
    expect(message).not.toContain(directory);
    expect(String(cause)).toContain(join(other, "log"));
    expect(await second.readiness()).not.toContain(directory);
    expect(world.signer.signed).toHaveLength(signed);
    await world.append(log, newEntry("goes on"));
    await world.check(log, 4);
  });

  test("one whose folder is a copy signs nothing once the other has published, and the other goes on", async () => {
    const { world, elsewhere, copy } = await twoFolders();
    const log = await world.start();
    await world.appendAll(log, newEntries(3));
    await copy();
    const second = await (await elsewhere()).start();
    expect(await second.readiness()).toBeUndefined();
    await world.append(log, newEntry("first"));
    const signed = world.signer.signed.length;
    await expect(second.append(newEntry("second"))).rejects.toThrow(OUTGROWN);
    expect(await second.readiness()).toMatch(OUTGROWN);
    expect(world.signer.signed).toHaveLength(signed);
    await world.append(log, newEntry("third"));
    // The refused entry is in the tree: its caller was promised nothing.
    await world.check(log, 6);
  });

  test("writing at once they make one history, and one of them is refused", async () => {
    const { world, elsewhere, copy } = await twoFolders();
    const log = await world.start();
    await world.appendAll(log, newEntries(3));
    await copy();
    const logs = [log, await (await elsewhere()).start()];
    await Promise.all(
      logs.map(async (one, number) => {
        for (const at of range(40)) await appendOrRefuse(world, one, `${number} ${at}`);
      }),
    );
    const ready = [];
    for (const one of logs) if ((await one.readiness()) === undefined) ready.push(one);
    // Of the two folders one knows what was published last.
    expect(ready.length).toBeGreaterThan(0);
    const [goesOn] = ready;
    await world.append(goesOn!, newEntry("last"));
    const other = logs.find((one) => one !== goesOn);
    expect(await other!.readiness()).toMatch(OUTGROWN);
    await world.check(goesOn!);
  });

  test("starting for the first time at once they make one log, and one of them is refused", async () => {
    const { world, elsewhere } = await twoFolders();
    const other = await elsewhere();
    const logs = await Promise.all([world.start({ create: true }), other.start({ create: true })]);
    const ready = [];
    for (const one of logs) if ((await one.readiness()) === undefined) ready.push(one);
    expect(ready.length).toBeGreaterThan(0);
    const [goesOn] = ready;
    await world.append(goesOn!, newEntry(1));
    expect(await logs.find((one) => one !== goesOn)!.readiness()).toMatch(/its anchor is (missing|older)/);
    await world.check(goesOn!, 1);
  });
});
