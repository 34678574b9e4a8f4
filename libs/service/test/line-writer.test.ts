import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LineWriter } from "../src/index.ts";

let folder: string;
let fifo: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "line-writer-"));
  fifo = join(folder, "fifo");
  execFileSync("mkfifo", [fifo]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LINE = `${"x".repeat(999)}\n`;

/** Everything in the pipe, and what is still written into it while we read. */
async function drain(fd: number): Promise<string> {
  let text = "";
  const chunk = Buffer.alloc(1 << 16);
  for (let quiet = 0; quiet < 5;) {
    try {
      const read = readSync(fd, chunk);
      text += chunk.toString("utf8", 0, read);
      quiet = 0;
    } catch {
      quiet += 1;
      await delay(60);
    }
  }
  return text;
}

test.for([0, constants.O_NONBLOCK])("a pipe that nobody reads stops nobody (flags %i)", async (flags) => {
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = openSync(fifo, constants.O_WRONLY | flags);
  const lines = new LineWriter(pipe, 500_000);
  lines.write("first\n");
  const before = performance.now();
  for (let i = 0; i < 5_000; i++) lines.write(LINE);
  await delay(10);
  expect(performance.now() - before, "the caller was made to wait").toBeLessThan(1_000);

  const text = await drain(reader);
  const read = text.split("\n").slice(0, -1);
  expect(read[0]).toBe("first");
  expect(read.slice(1, -1).every((line) => line === LINE.trimEnd())).toBe(true);
  expect(read.length).toBeLessThan(600);
  const [, dropped] = /(\d+) lines were dropped/.exec(read.at(-1)!)!;
  expect(Number(dropped) + read.length - 2).toBe(5_000);
  closeSync(pipe);
  closeSync(reader);
});

test("what waits at the end is written then", () => {
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  const lines = new LineWriter(pipe);
  lines.write("one\n");
  lines.write("two\n");
  lines.flushAtExit();
  const chunk = Buffer.alloc(100);
  expect(chunk.toString("utf8", 0, readSync(reader, chunk))).toContain("two\n");
  closeSync(pipe);
  closeSync(reader);
});

test("a descriptor that is gone keeps nobody from ending", async () => {
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  closeSync(reader);
  const lines = new LineWriter(pipe);
  lines.write("into the void\n");
  await delay(50);
  lines.write("again\n");
  lines.flushAtExit();
  closeSync(pipe);
});
