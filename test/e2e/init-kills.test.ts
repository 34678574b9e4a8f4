import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "../../services/chancery/src/command-line.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const MAIN = join(import.meta.dirname, "../../services/chancery/dist/main.js");
const ROUNDS = 30;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "init-kills-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const env = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" };

/** In this process: a start takes a second, and what is killed is the other one. */
async function finish(args: readonly string[]): Promise<void> {
  let said = "";
  const terminal = { out: () => {}, err: (text: string) => void (said += text) };
  expect([await run(["init", ...args], {}, terminal), said]).toEqual([0, ""]);
}

/** Kills at a random moment after the first file is there, so that the kills fall where files are made. */
async function killed(args: readonly string[], within: number, begun: () => boolean): Promise<boolean> {
  const child: ChildProcess = spawn(process.execPath, [MAIN, "init", ...args], { env, stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  while (child.exitCode === null && !begun()) await delay(1);
  await delay(Math.random() * within);
  child.kill("SIGKILL");
  await ended;
  return child.signalCode === "SIGKILL";
}

/** The lock's own, what was being written under another name, and the mark of a first run that is not finished. */
const FLEETING = /^installation\.lock|\.tmp$|^installation\.unfinished$/;

function files(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !FLEETING.test(entry.name),
  );
  return Object.fromEntries(
    names.map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), "latin1")]),
  );
}

/** What clients would be told, and what must sign for it: the same for ever once it is said. */
function whole(data: string): Record<string, string> {
  const kept = files(data);
  for (const [path, text] of Object.entries(kept)) {
    if (!path.endsWith(".pem") || !path.includes("/keys/")) continue;
    expect(createPrivateKey(text).type).toBe("private");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  }
  return kept;
}

const spki = (pem: string) => createPublicKey(pem).export({ type: "spki", format: "der" }).toString("hex");
const exists = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined;

describe(`chancery init, killed at ${ROUNDS} random moments,`, () => {
  test("leaves a folder that the next run finishes, and never changes what was finished", async () => {
    let interrupted = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const data = join(folder, `first-${round}`);
      const args = [`--data=${data}`, "--url=https://sigstore.example.com"];
      if (await killed(args, 40, () => exists(join(data, "installation.lock")))) interrupted++;
      const before = exists(join(data, "installation.json")) ? whole(data) : undefined;
      await finish(args);
      const after = whole(data);
      if (before !== undefined) expect(after).toMatchObject(before);
      const chain = readFileSync(join(data, "certificates/fulcio.pem"), "utf8");
      const issuing = new X509Certificate(chain);
      const key = readFileSync(join(data, "keys/fulcio-intermediate.pem"), "utf8");
      expect(issuing.checkPrivateKey(createPrivateKey(key))).toBe(true);
      expect(readdirSync(join(data, "keys")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
      await finish(args);
      expect(whole(data)).toEqual(after);
    }
    expect(interrupted).toBeGreaterThan(ROUNDS / 2);
  }, 900_000);

  test("renewing below an offline root: one key, one request for it, and what issued goes on issuing", async () => {
    const data = join(folder, "renewed");
    await finish([`--data=${data}`, "--url=https://sigstore.example.com"]);
    let interrupted = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const installed = whole(data);
      const args = [`--data=${data}`, "--offline-root", "--renew"];
      const state = join(data, "authority.json");
      if (await killed(args, 25, () => readdirSync(join(data, "keys")).some((name) => name.includes("-2"))))
        interrupted++;
      expect(whole(data)).toMatchObject(installed);
      await finish(args);
      const request = readFileSync(join(data, "certificates/fulcio-2.csr"), "latin1");
      await finish(args);
      expect(readFileSync(join(data, "certificates/fulcio-2.csr"), "latin1")).toBe(request);
      const asked = spawnSync("openssl", ["req", "-noout", "-pubkey"], { input: request, encoding: "utf8" });
      const key = readFileSync(join(data, "keys/fulcio-intermediate-2.pem"), "utf8");
      if (asked.status === 0) expect(spki(asked.stdout)).toBe(spki(key));
      expect(readdirSync(join(data, "keys")).filter((name) => /-3|\.tmp$/.test(name))).toEqual([]);
      for (const path of [
        state,
        join(data, "certificates/fulcio-2.csr"),
        join(data, "keys/fulcio-intermediate-2.pem"),
      ]) {
        rmSync(path);
      }
    }
    expect(interrupted).toBeGreaterThan(ROUNDS / 2);
  }, 900_000);
});
