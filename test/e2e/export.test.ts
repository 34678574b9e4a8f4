import { execFile, spawn } from "node:child_process";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { type ChanceryProcess, startChancery } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const MAIN = join(import.meta.dirname, "../../services/chancery/dist/main.js");
/** More than two pages of 512. */
const ENTRIES = 1_100;

const chancery = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, "export", ...args]);

describe("chancery export, as it is built", () => {
  let stack: ChanceryProcess;
  beforeAll(async () => {
    stack = await startChancery();
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = Buffer.from(publicKey.export({ type: "spki", format: "pem" })).toString("base64");
    const log = async (text: string) => {
      const value = createHash("sha256").update(text).digest("hex");
      const content = sign("sha256", Buffer.from(text), privateKey).toString("base64");
      const spec = {
        data: { hash: { algorithm: "sha256", value } },
        signature: { content, publicKey: { content: key } },
      };
      const answer = await fetch(`${stack.url}/api/v1/log/entries`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ apiVersion: "0.0.1", kind: "hashedrekord", spec }),
      });
      expect(answer.status, await answer.text()).toBe(201);
    };
    for (let at = 0; at < ENTRIES; at += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, place) => log(`artifact ${at + place}`)));
    }
  });
  afterAll(() => stack?.[Symbol.asyncDispose]());

  test("writes the same bytes with threads and without, which verify finds whole", async () => {
    const texts: string[] = [];
    for (const threads of ["0", "2"]) {
      const file = join(stack.data, `export-${threads}.jsonl`);
      const { stdout } = await chancery("entries", "--out", file, "--data", stack.data, "--threads", threads);
      expect(stdout).toContain(`${ENTRIES.toLocaleString("en")} entries`);
      const verified = await chancery("verify", file, `${file}.manifest`, "--data", stack.data);
      expect(verified.stdout).toContain("root of rekor from its entries");
      texts.push(await readFile(file, "utf8"));
    }
    expect(texts[1]).toBe(texts[0]);
    expect(texts[0]!.split("\n")).toHaveLength(ENTRIES + 1);
  });

  test("killed while it writes it goes on, and ends in the same bytes", async () => {
    const [whole, file] = [join(stack.data, "export-0.jsonl"), join(stack.data, "killed.jsonl")];
    const flags = ["entries", "--out", file, "--data", stack.data];
    const child = spawn(process.execPath, [MAIN, "export", ...flags], { stdio: "ignore" });
    const ended = once(child, "exit");
    // Its first save, before its first line.
    while (!existsSync(`${file}.state`) && child.exitCode === null) await delay(1);
    child.kill("SIGKILL");
    await ended;
    await chancery(...flags, "--resume");
    expect(await readFile(file, "utf8")).toBe(await readFile(whole, "utf8"));
    expect((await chancery("verify", file, `${file}.manifest`, "--data", stack.data)).stdout).toContain("holds");
  });
});
