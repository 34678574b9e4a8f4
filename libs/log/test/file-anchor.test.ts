import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rename, rm, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { Misconfigured, RefusedToSign, Unavailable } from "@chancery/fault";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AnchoredHead, FileAnchor } from "../src/index.ts";
import { volumeTrouble } from "../src/volume-trouble.ts";
import { range } from "./world.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "anchor-test-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const open = () => FileAnchor.open(directory, "log");

const head = (size: number, fill = 0): AnchoredHead => ({
  origin: "log.example/2026",
  keyId: Uint8Array.of(1, 2, 3, 4),
  size: BigInt(size),
  root: new Uint8Array(32).fill(fill),
  time: 1000 + size,
});

const files = async () => (await readdir(join(directory, "log"))).sort();

test("remembers what it was told, over restarts", async () => {
  const anchor = await open();
  expect(await anchor.read()).toBeUndefined();
  expect(await anchor.compareAndSwap(undefined, head(0))).toBe(true);
  expect(await anchor.compareAndSwap(head(0), head(7))).toBe(true);
  expect(await anchor.read()).toEqual(head(7));
  expect(await (await open()).read()).toEqual(head(7));
});

test("remembers that it is the last one, and how it came to be; where there is nothing of it the form is the one of before", async () => {
  const anchor = await open();
  const told = [
    head(1),
    { ...head(2), cuts: 3 },
    { ...head(3), accepted: "0123456789abcdef".repeat(2) },
    { ...head(4), cuts: 3, accepted: "f".repeat(32), frozen: true },
    { ...head(5), frozen: true },
  ];
  let last: AnchoredHead | undefined;
  for (const next of told) {
    expect(await anchor.compareAndSwap(last, next)).toBe(true);
    expect(await (await open()).read()).toEqual(next);
    last = next;
  }
  const texts = await Promise.all((await files()).map((name) => readFile(join(directory, "log", name), "utf8")));
  expect(texts[0]).toMatch(
    /^chancery anchor 1\norigin .+\nkey 01020304\nsize 1\nroot 0{64}\ntime 1001\nsum [0-9a-f]{64}\n$/,
  );
  expect(texts[3]).toMatch(/\ncuts 3\naccepted f{32}\nfrozen for ever\nsum /);
  expect(texts[4]).toMatch(/\ntime 1005\nfrozen for ever\nsum /);
});

test("changes only from exactly what is expected", async () => {
  const anchor = await open();
  await anchor.compareAndSwap(undefined, head(5));
  const wrong = [
    undefined,
    head(4),
    head(5, 1),
    { ...head(5), time: 1 },
    { ...head(5), origin: "x" },
    { ...head(5), frozen: true },
    { ...head(5), accepted: "0".repeat(32) },
    { ...head(5), cuts: 1 },
  ];
  for (const expected of [...wrong, { ...head(5), keyId: Uint8Array.of(9) }]) {
    expect(await anchor.compareAndSwap(expected, head(6))).toBe(false);
  }
  expect(await anchor.read()).toEqual(head(5));
});

test("of many at once one wins, each time", async () => {
  const anchors = await Promise.all(range(8).map(open));
  for (const size of range(30)) {
    const expected = size === 0 ? undefined : await anchors[0]!.read();
    const won = await Promise.all(anchors.map((anchor, at) => anchor.compareAndSwap(expected, head(size + 1, at))));
    // Never two; none when the winner found that the next one had overtaken it, which here cannot be.
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await anchors[0]!.read())?.root[0]).toBe(won.indexOf(true));
  }
});

test("processes that count together lose no step", async () => {
  const counter = join(import.meta.dirname, "anchor-counter.ts");
  const counters = range(4).map(() =>
    spawn(process.execPath, ["--conditions=@chancery/source", counter, directory, "25"], { stdio: "inherit" }),
  );
  for (const [code] of await Promise.all(counters.map((process) => once(process, "close")))) expect(code).toBe(0);
  // A step may be taken further by another process before its own has seen it, and is then made again.
  expect((await (await open()).read())?.size).toBeGreaterThanOrEqual(100n);
});

test("keeps the last sixteen, and clears the others away when there are as many", async () => {
  const anchor = await open();
  let last: AnchoredHead | undefined;
  for (const size of range(40)) {
    await anchor.compareAndSwap(last, head(size));
    last = head(size);
  }
  expect(await files()).toEqual(range(24, 17).map((sequence) => String(sequence).padStart(16, "0")));
  expect(await anchor.read()).toEqual(head(39));
});

test("a process that slept while its next number was used and cleared away has lost", async () => {
  const sleeper = await open();
  await sleeper.compareAndSwap(undefined, head(0));
  const other = await open();
  let last = head(0);
  for (const size of range(40, 1)) {
    await other.compareAndSwap(last, head(size));
    last = head(size);
  }
  expect(await files()).not.toContain("0000000000000002");
  expect(await sleeper.compareAndSwap(head(0), head(1, 9))).toBe(false);
  expect(await files()).not.toContain("0000000000000002");
  expect(await sleeper.read()).toEqual(last);
});

test.each([
  ["lost and begun anew", [], 1],
  ["put back to an older state, and grown to the very number", [head(0)], 3],
])("a process that slept while the folder was %s has lost", async (_what, kept, grown) => {
  const sleeper = await open();
  let last: AnchoredHead | undefined;
  for (const size of range(4)) {
    expect(await sleeper.compareAndSwap(last, head(size))).toBe(true);
    last = head(size);
  }
  for (const name of (await files()).slice(kept.length)) await unlink(join(directory, "log", name));
  const other = await open();
  let accepted: AnchoredHead | undefined = kept[0];
  for (const size of range(grown, 1)) {
    const next = { ...head(size), accepted: "a".repeat(32) };
    expect(await other.compareAndSwap(accepted, next)).toBe(true);
    accepted = next;
  }
  const there = await files();
  expect(await sleeper.compareAndSwap(head(3), head(4))).toBe(false);
  expect(await files()).toEqual(there);
  expect(await sleeper.read()).toEqual(accepted);
});

test("what a crash left half-made is not read, and is cleared away in time", async () => {
  await (await open()).compareAndSwap(undefined, head(3));
  const left = join(directory, "log", "new-crashed");
  await writeFile(left, "chancery anchor 1\norigin lo");
  expect(await (await open()).read()).toEqual(head(3));
  await utimes(left, 1, 1);
  await open();
  expect(await files()).toEqual(["0000000000000001"]);
});

test("damage is refused, not overlooked", async () => {
  const anchor = await open();
  await anchor.compareAndSwap(undefined, head(3));
  await anchor.compareAndSwap(head(3), head(4));
  const path = join(directory, "log", "0000000000000002");
  const text = await readFile(path, "utf8");
  for (const damaged of [
    text.replace("size 4", "size 3"),
    text.slice(0, -1),
    "",
    `${text}\n`,
    text.replace("root 0", "root 1"),
  ]) {
    await writeFile(path, damaged);
    await expect((await open()).read()).rejects.toBeInstanceOf(RefusedToSign);
    await expect((await open()).compareAndSwap(head(3), head(9))).rejects.toBeInstanceOf(RefusedToSign);
  }
  await unlink(path);
  expect(await (await open()).read()).toEqual(head(3));
});

test("a newest file that is named and never found is trouble, and not looked for without an end", async () => {
  const anchor = await open();
  await anchor.compareAndSwap(undefined, head(0));
  await symlink("nowhere", join(directory, "log", "0000000000000002"));
  await expect(anchor.read()).rejects.toBeInstanceOf(Unavailable);
});

test("a folder that is gone is trouble that may pass", async () => {
  const anchor = await open();
  await rm(join(directory, "log"), { recursive: true });
  await expect(anchor.read()).rejects.toBeInstanceOf(Unavailable);
  await expect(anchor.compareAndSwap(undefined, head(1))).rejects.toBeInstanceOf(Unavailable);
});

test("a folder that is gone is said to be, without its path, and read again once it is back", async () => {
  const anchor = await open();
  await anchor.compareAndSwap(undefined, head(1));
  await rename(join(directory, "log"), join(directory, "away"));
  const gone = { message: "the anchor cannot be read or written: its folder is gone" };
  await expect(anchor.read()).rejects.toMatchObject(gone);
  await expect(anchor.compareAndSwap(head(1), head(2))).rejects.toMatchObject(gone);
  await rename(join(directory, "away"), join(directory, "log"));
  expect(await anchor.compareAndSwap(head(1), head(2))).toBe(true);
});

test.each([
  ["ENOSPC", ": its disk is full"],
  ["EROFS", ": its volume is read-only"],
  ["EACCES", ": this user has no permission"],
  ["EIO", ": EIO"],
  ["ERR_/secret/path", ""],
  [undefined, ""],
])("what the file system calls %s is told by word, and nothing else of it", (code, said) => {
  expect(volumeTrouble(Object.assign(new Error("open '/secret/path'"), { code }))).toBe(said);
});

test("the folders above it are made where they are missing, by a relative path too", async () => {
  const above = relative(process.cwd(), join(directory, "volume", "anchors"));
  const anchor = await FileAnchor.open(above, "log");
  expect(await anchor.compareAndSwap(undefined, head(1))).toBe(true);
  expect(await (await FileAnchor.open(above, "log")).read()).toEqual(head(1));
});

test("its name cannot lead out of its folder", async () => {
  for (const name of ["..", "a/b", "", ".hidden", "a\0b"]) {
    await expect(FileAnchor.open(directory, name)).rejects.toBeInstanceOf(Misconfigured);
  }
});

const openFiles = async () => (await readdir("/proc/self/fd")).length;

test.skipIf(process.platform !== "linux")(
  "what was prepared in vain keeps nothing open (skipped where it is not Linux)",
  async () => {
    const before = await openFiles();
    const anchors = await Promise.all(range(20).map((at) => FileAnchor.open(directory, `log-${at}`)));
    for (const anchor of anchors) anchor.prepare(head(1));
    for (const at of range(20)) {
      await expect.poll(async () => await readdir(join(directory, `log-${at}`))).toHaveLength(1);
    }
    await expect.poll(openFiles).toBeLessThan(before + 10);
    for (const anchor of anchors) expect(await anchor.compareAndSwap(undefined, head(1))).toBe(true);
    await expect.poll(openFiles).toBeLessThan(before + 10);
  },
);
