import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chancery, issueCertificate, logV1, logV2 } from "./export-world.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

const SCRIPT = join(import.meta.dirname, "../../../docs/verify-export.py");

const missing = [
  ["python3", "--version"],
  ["openssl", "version"],
].flatMap(([program = "", flag = ""]) => (spawnSync(program, [flag]).status === 0 ? [] : [program]));
if (missing.length > 0 && process.env["CHANCERY_REQUIRE_CLIENTS"] === "1") {
  throw new Error(`CHANCERY_REQUIRE_CLIENTS is set and there is no ${missing.join(", ")}`);
}
const without = missing.length === 0 ? "" : ` [left out: no ${missing.join(", ")}]`;

let folder: string;
let running: TestStack;
let made = 0;

const path = (name: string) => join(folder, name);

async function exported(what: string, ...flags: string[]): Promise<{ file: string; text: string }> {
  const file = path(`${what}-${++made}`);
  const { code, err } = await chancery("export", what, "--out", file, "--data", running.data, ...flags);
  expect(code, err).toBe(0);
  return { file, text: await readFile(file, "utf8") };
}

async function script(file: string, ...keys: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const ran = spawnSync("python3", [SCRIPT, file, `${file}.manifest`, ...keys.map(path)], { encoding: "utf8" });
  return { code: ran.status, out: ran.stdout, err: ran.stderr };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-verify-export-"));
  running = await startTestStack({ data: path("data") });
  const signer = await issueCertificate(running.url, "dev@example.com");
  for (let at = 0; at < 3; at++) await logV1(running.url, signer, `artifact ${at}`);
  await logV2(running.url, signer, "artifact");
  for (const log of ["rekor", "rekor-v2", "ctlog"]) {
    const key = createPublicKey(await readFile(join(running.data, "keys", `${log}.pem`)));
    await writeFile(path(`${log}.pub`), key.export({ type: "spki", format: "pem" }));
  }
}, 60_000);
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(without !== "")(`ten lines of Python, with openssl and none of our code${without}`, () => {
  test("are ten, and none too long to be read", async () => {
    const lines = (await readFile(SCRIPT, "utf8")).split("\n");
    const code = lines.filter((line) => line !== "" && !line.startsWith("#"));
    expect(code).toHaveLength(10);
    expect(code.filter((line) => line.length > 120 || line.includes(";"))).toEqual([]);
  });

  test.for(["jsonl", "csv"])("find each export good: %s", async (format) => {
    for (const [what, ...keys] of [
      ["entries", "rekor.pub", "rekor-v2.pub"],
      ["certificates", "ctlog.pub"],
      ["refusals", "ctlog.pub"],
    ] as const) {
      const { file } = await exported(what, "--format", format);
      const { code, out, err } = await script(file, ...keys);
      expect([code, out], err).toEqual([0, expect.stringMatching(new RegExp(`\\d+ ${what}, signed for\n$`))]);
    }
  });

  test("do not take one log's signature for two", async () => {
    const { file } = await exported("entries");
    const keys = [["rekor.pub"], ["rekor-v2.pub"], ["rekor.pub", "rekor.pub"], ["rekor-v2.pub", "rekor.pub"]];
    for (const wrong of [[], ...keys]) {
      const { code, out } = await script(file, ...wrong);
      expect([code, out], wrong.join()).toEqual([1, expect.not.stringContaining("signed for")]);
    }
    const note = await readFile(`${file}.manifest`, "utf8");
    const lines = note.trimEnd().split("\n");
    await writeFile(`${file}.manifest`, `${lines.slice(0, -1).join("\n")}\n`);
    expect(await script(file, "rekor.pub", "rekor-v2.pub")).toMatchObject({ code: 1 });
    expect(await script(file, "rekor.pub")).toMatchObject({ code: 1 });
  });

  test("know a log's Ed25519 key", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    await writeFile(path("ed25519.pub"), publicKey.export({ type: "spki", format: "pem" }));
    const { file } = await exported("entries", "--log", "rekor-v2");
    const note = await readFile(`${file}.manifest`, "utf8");
    const text = note.slice(0, note.lastIndexOf("\n\n") + 1);
    const signature = Buffer.concat([Buffer.alloc(4), sign(undefined, Buffer.from(text), privateKey)]);
    await writeFile(`${file}.manifest`, `${text}\n— localhost/export/rekor-v2 ${signature.toString("base64")}\n`);
    expect(await script(file, "ed25519.pub")).toMatchObject({ code: 0 });
    expect(await script(file, "rekor-v2.pub")).toMatchObject({ code: 1 });
  });

  test("find what was changed in a file or in its manifest", async () => {
    const { file, text } = await exported("certificates");
    const note = await readFile(`${file}.manifest`, "utf8");
    for (const changed of [text.replace("dev@", "DEV@"), text.slice(0, -1), `${text}${text}`, ""]) {
      await writeFile(file, changed);
      const { code, err } = await script(file, "ctlog.pub");
      expect([code, err]).toEqual([1, expect.stringContaining("not what was signed for")]);
    }
    await writeFile(file, text);
    const changes = [
      ['"count": "', '"count": "1'],
      ["chancery-export/v1", "chancery-export/v2"],
      ["chancery-export/v1", "\nchancery-export/v1"],
      ["/export/ctlog", "/export/rekor"],
    ] as const;
    for (const [from, to] of changes) {
      expect(note).toContain(from);
      await writeFile(`${file}.manifest`, note.replace(from, to));
      const { code, out } = await script(file, "ctlog.pub");
      expect([code, out], to).toEqual([1, expect.not.stringContaining("signed for")]);
    }
  });
});
