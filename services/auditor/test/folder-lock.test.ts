import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FolderLock } from "../src/state/folder-lock.ts";
import { Auditor } from "../src/watch/auditor.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-lock-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const SOURCE = join(import.meta.dirname, "../src/state/folder-lock.ts");
const ARGUMENTS = ["--no-warnings", "--conditions=@chancery/source", "--input-type=module", "-e"];
const taking = (path: string, then: string) =>
  `import { FolderLock } from ${JSON.stringify(SOURCE)};\n` +
  `const lock = await FolderLock.take(${JSON.stringify(path)}, 0);\n${then}`;

test("a second auditor in the same folder is refused, and let in when the first has ended", async () => {
  const options = { url: "http://nobody.example", state: directory, told: { alarm: () => {}, failed: () => {} } };
  const first = await Auditor.open(options);
  await expect(FolderLock.take(join(directory, "lock"), 0)).rejects.toThrow(/another auditor works in this folder/);
  await first[Symbol.asyncDispose]();
  const second = await Auditor.open(options);
  await second[Symbol.asyncDispose]();
});

test("one of another process is refused too", async () => {
  const path = join(directory, "lock");
  const lock = await FolderLock.take(path, 0);
  const other = promisify(execFile)(process.execPath, [...ARGUMENTS, taking(path, "")]);
  await expect(other).rejects.toThrow(/another auditor works in this folder/);
  lock[Symbol.dispose]();
});

test("an auditor that was killed locks nobody out", async () => {
  const path = join(directory, "lock");
  const script = taking(path, `console.log("taken"); setInterval(() => lock, 1000);`);
  const child = spawn(process.execPath, [...ARGUMENTS, script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await expect(FolderLock.take(path, 0)).rejects.toThrow(/another auditor/);
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = await FolderLock.take(path, 0);
  lock[Symbol.dispose]();
});
