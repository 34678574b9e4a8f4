import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { auditorCommand } from "../src/auditor-command.ts";

test("what a server answers moves no cursor and begins no line where an auditor tells it in a terminal", async () => {
  await using opened = new AsyncDisposableStack();
  const state = await mkdtemp(join(tmpdir(), "auditor-once-"));
  opened.defer(() => rm(state, { recursive: true, force: true }));
  const server = createServer((_, response) => {
    response.writeHead(403, { "Content-Type": "text/plain" }).end("\u001B[2J\npassed  all: is well\u202E\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.defer(() => void server.close());
  const lines: string[] = [];
  const tell = (text: string) => void lines.push(text);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const terminal = { out: tell, err: tell };
  const code = await auditorCommand(["--url", url, "--state", state, "--canary", "0", "--once"], {}, terminal);
  const told = lines.join("");
  expect(code).toBe(1);
  expect(told).toContain(String.raw`answers 403: \u{1b}[2J passed all: is well\u{202e}`);
  expect(told.split("\n").filter((line) => /^passed +all:/.test(line))).toEqual([]);
  expect(told.match(/[^\P{Cc}\n]|\p{Cf}/gu)).toBeNull();
});
