import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { mkdtemp, open, readFile, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Unavailable } from "@chancery/fault";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AnchorStep, FileAnchor } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, range, World } from "./world.ts";

const server = testServer();
/** Longer than a disk that is forced for others takes for what is not held up. */
const PATIENCE_MS = 1500;
const LONG = { timeout: 30_000 };
const NO_ANSWER = "the anchor's volume does not answer";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "hanging-anchor-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** A log of three entries, and its anchor, which can be held up at a step as by a volume that does not answer. */
async function heldUp(at: AnchorStep) {
  let held: PromiseWithResolvers<void> | undefined;
  const failpoint = (step: AnchorStep) => (step === at ? held?.promise : undefined);
  const anchor = await FileAnchor.open(directory, "log", { patienceMs: PATIENCE_MS, failpoint });
  const world = new World({ store: await server.shared.store(), anchor });
  const log = await world.start();
  await world.appendAll(log, newEntries(3));
  const hang = () => (held = Promise.withResolvers<void>());
  const goOn = () => {
    held?.resolve();
    held = undefined;
  };
  return { world, log, anchor, hang, goOn };
}

describe.each(["anchor-written", "anchor-linked"] as const)("an anchor's volume that hangs at '%s'", (step) => {
  test("keeps nobody waiting without end, and the log goes on by itself when it answers", async () => {
    const { world, log, hang, goOn } = await heldUp(step);
    const before = world.signer.signed.length;
    hang();
    const refusals = await Promise.all([newEntry("a"), newEntry("b")].map((entry) => log.append(entry).catch(String)));
    expect(refusals).toEqual([`Unavailable: ${NO_ANSWER}`, `Unavailable: ${NO_ANSWER}`]);
    // Who comes later is told at once, and nothing more is begun on the volume.
    await expect(log.append(newEntry("c"))).rejects.toThrow(NO_ANSWER);
    expect(await log.readiness()).toContain(NO_ANSWER);
    expect((await log.published()).head.size).toBe(3n);
    await expect(log.entry(3n)).rejects.toBeInstanceOf(Unavailable);
    expect(world.signer.signed).toHaveLength(before);

    goOn();
    await expect.poll(() => log.readiness(), LONG).toBeUndefined();
    expect((await log.published()).head.size).toBe(6n);
    expect(await world.append(log, newEntry("a"))).toMatchObject({ duplicate: true });
    expect(await world.append(log, newEntry("d"))).toMatchObject({ duplicate: false, entry: { index: 6n } });
    await world.check(log, 7);
    await log.close();
  });

  test("moves nothing when it answers late, though its number was given to others and cleared away", async () => {
    const { world, log, anchor, hang, goOn } = await heldUp(step);
    hang();
    await expect(log.append(newEntry("late"))).rejects.toThrow(NO_ANSWER);
    const other = world.with({ store: await server.shared.store(), anchor: await FileAnchor.open(directory, "log") });
    const running = await other.start();
    for (const name of range(40)) await other.append(running, newEntry(`other ${name}`));
    const newest = await other.anchor.read();

    goOn();
    await expect.poll(() => anchor.read().catch(() => undefined), LONG).toEqual(newest);
    expect(await other.anchor.read()).toEqual(newest);
    expect(await other.append(running, newEntry("late"))).toMatchObject({ duplicate: true, entry: { index: 3n } });
    await world.append(log, newEntry("next"));
    await other.check(running, 45);
    await world.check(log, 45);
  });
});

test("anchors on a volume that does not answer leave the process threads for other files", async () => {
  const names = ["one", "two", "three"];
  const anchors = await Promise.all(names.map((name) => FileAnchor.open(directory, name, { patienceMs: 200 })));
  const fifos = names.map((name) => join(directory, name, "0000000000000009"));
  // To open one for reading waits until somebody writes.
  for (const fifo of fifos) execFileSync("mkfifo", [fifo]);
  const reads = () => Promise.all(anchors.flatMap((anchor) => range(5).map(() => anchor.read().catch(String))));
  expect(new Set(await reads())).toEqual(new Set([`Unavailable: ${NO_ANSWER}`]));
  expect(await readFile(import.meta.filename, "utf8")).toContain("leave the process threads");

  const writers = await Promise.all(fifos.map((fifo) => open(fifo, constants.O_RDWR)));
  for (const fifo of fifos) await unlink(fifo);
  for (const writer of writers) await writer.close();
  await expect.poll(reads, LONG).toEqual(Array.from({ length: 15 }));
});
