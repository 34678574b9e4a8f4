import { cp, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runningEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { LOG_NAMES } from "../src/installation.ts";
import { logEntry } from "./log-entry.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

let folder: string;
let data: string;
let volume: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-anchor-"));
  data = join(folder, "data");
  volume = join(folder, "volume", "anchors");
  await using stack = await startTestStack({ data, anchor: volume });
  for (const text of ["a", "b", "c"]) expect(await logEntry(stack.url, text)).toBe(201);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function chancery(...argv: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await run(argv, {}, terminal), out, err };
}

async function readyz({ url }: TestStack) {
  const answer = await fetch(`${url}/readyz`);
  return { status: answer.status, text: await answer.text() };
}

const isEmpty = async (path: string) => (await readdir(path)).length === 0;

describe("anchors in a folder of their own", () => {
  test("lie there and nowhere else, and fsck reads them there", async () => {
    expect((await readdir(volume)).sort()).toEqual([...LOG_NAMES, "tuf"].sort());
    expect(await readdir(data)).not.toContain("anchor");
    const { code, out } = await chancery("fsck", "--data", data, "--anchor", volume);
    expect(code, out).toBe(0);
    expect(out).toMatch(/^rekor: clean: 3 entries/m);
    const elsewhere = await chancery("fsck", "--data", data, "--log", "rekor");
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.out).toMatch(/^ {2}means {5}.* most likely another is meant \(CHANCERY_ANCHOR, --anchor/m);
    expect(elsewhere.out).toContain(`  anchor    ${join(data, "anchor", "rekor")}\n`);
    const json = await chancery("fsck", "--data", data, "--log", "rekor", "--json");
    expect(JSON.parse(json.out)).toMatchObject({ found: "nothing", meaning: expect.stringContaining("--anchor") });
  });

  test("are read there by the auditor beside the services, who watches their disk too, and by fsck at a database", async () => {
    await using stack = await startTestStack({ data, anchor: volume, auditor: "on" });
    const checks = async () => {
      const status = await (await fetch(`${stack.url}/api/chancery/v1/audit`)).json();
      const { checks: all } = status as { checks: { name: string; state: string; what: string }[] };
      return new Map(all.map(({ name, what }) => [name, what]));
    };
    await expect
      .poll(async () => (await checks()).get("heads of rekor"), { timeout: 60_000, interval: 200 })
      .toMatch(/^published <= anchor <= database holds at \d+, \d+, \d+$/);
    await expect
      .poll(async () => (await checks()).get(`disk of ${volume}`), { timeout: 60_000, interval: 200 })
      .toContain("GiB");
    const url = (await runningEmbedded(join(data, "postgres")))!;
    const key = join(data, "keys", "rekor.pem");
    const flags = ["--database-url", url, "--log", "rekor", "--key", key];
    const { code, out } = await chancery("fsck", ...flags, "--anchor", volume);
    expect(code, out).toBe(0);
    expect(out).toContain("anchor, entries");
    expect(out).not.toContain("without its anchor");
    expect((await chancery("fsck", ...flags)).out).toContain("without its anchor");
  }, 150_000);

  test("that are looked for in another folder are refused, which the operator's log alone names, and moved there are found", async () => {
    const moved = join(folder, "moved");
    {
      await using stack = await startTestStack({ data, anchor: moved });
      const { status, text } = await readyz(stack);
      expect([status, text]).toEqual([
        503,
        expect.stringMatching(/its anchor is missing and its database holds \d+ entr(y|ies)/),
      ]);
      expect(text).toContain("(npm run chancery -- accept-anchor --log rekor)");
      expect(text).not.toContain(folder);
      const said = stack.lines.filter((line) => line.includes("its anchor is missing") && line.includes("rekor"));
      expect(said.join("\n")).toContain(join(moved, "rekor"));
      expect(await logEntry(stack.url, "refused")).toBe(503);
    }
    for (const name of LOG_NAMES) expect(await isEmpty(join(moved, name))).toBe(true);
    await rm(moved, { recursive: true });
    await rename(volume, moved);
    {
      await using stack = await startTestStack({ data, anchor: moved });
      expect(await readyz(stack)).toMatchObject({ status: 200 });
      expect(await logEntry(stack.url, "d")).toBe(201);
    }
    await rename(moved, volume);
  });

  test("are accepted anew where they are looked for, and nowhere else", async () => {
    const lost = join(folder, "lost");
    const flags = ["--data", data, "--anchor", lost];
    for (const name of LOG_NAMES) {
      const { code, out, err } = await chancery("accept-anchor", "--log", name, ...flags);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toContain(`${name}: anchor accepted in ${join(lost, name)}\n`);
    }
    expect((await chancery("fsck", ...flags)).code).toBe(0);
    expect(await readdir(data)).not.toContain("anchor");
  });

  test("that the log has outgrown are told by one left in the data folder", async () => {
    const copy = join(folder, "copy");
    await cp(volume, copy, { recursive: true });
    {
      await using stack = await startTestStack({ data, anchor: volume });
      expect(await logEntry(stack.url, "outgrows the copy")).toBe(201);
    }
    await cp(volume, join(data, "anchor"), { recursive: true });
    await expect(startTestStack({ data, anchor: copy })).rejects.toThrow(
      /^CHANCERY_ANCHOR: .*copy\/rekor knows a tree of \d+ entr(y|ies), and .*anchor\/rekor a later one of \d+: it is a copy/,
    );
    {
      await using stack = await startTestStack({ data, anchor: volume });
      expect(await readyz(stack)).toMatchObject({ status: 200 });
      expect(await logEntry(stack.url, "what was left behind is older now")).toBe(201);
    }
    await using stack = await startTestStack({ data, anchor: volume });
    expect(await readyz(stack)).toMatchObject({ status: 200 });
  });

  test("that are left behind and taken for the log's are refused", async () => {
    await using stack = await startTestStack({ data });
    expect(await readyz(stack)).toMatchObject({
      status: 503,
      text: expect.stringContaining("its anchor is older than what was published"),
    });
  });

  test("in what is no folder are refused by the setting's name", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(startTestStack({ data, anchor: file })).rejects.toThrow(
      `chancery.anchor: ${join(file, "rekor")} may not be made, read and written by this user (ENOTDIR)`,
    );
  });
});
