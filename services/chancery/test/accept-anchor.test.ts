import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { startTestStack } from "./start-stack.ts";

async function chancery(...argv: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await run(argv, {}, terminal), out, err };
}

describe("chancery accept-anchor", () => {
  let data: string;
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), "chancery-accept-"));
    await (await startTestStack({ data }))[Symbol.asyncDispose]();
  });
  afterAll(() => rm(data, { recursive: true, force: true }));

  test.for<[string, (folder: string) => Promise<void>, RegExp]>([
    ["removed", (folder) => rm(folder, { recursive: true }), /before {2}none$/m],
    [
      "damaged",
      async (folder) => writeFile(join(folder, (await readdir(folder)).sort().at(-1)!), "?"),
      /is damaged: renamed to damaged-/,
    ],
  ])("an anchor that was %s: the log refuses, is told to accept, and is ready", async ([, harm, said]) => {
    await harm(join(data, "anchor", "rekor"));
    {
      await using stack = await startTestStack({ data });
      const answer = await fetch(`${stack.url}/readyz`);
      expect([answer.status, await answer.text()]).toEqual([
        503,
        expect.stringContaining("accept-anchor --log rekor)"),
      ]);
      const running = await chancery("accept-anchor", "--log", "rekor", "--data", data);
      expect([running.code, running.err]).toEqual([
        2,
        expect.stringMatching(/data folder: a chancery runs on .+; stop it first/),
      ]);
    }
    const { code, out, err } = await chancery("accept-anchor", "--log", "rekor", "--data", data);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(said);
    expect(out).toMatch(/after {3}size 0, root [0-9a-f]{64}$/m);
    await using stack = await startTestStack({ data });
    expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
  });

  /** Its folder was made before its name was looked at, and every start then took it for the anchor of a shard that had signed. */
  test("for a shard that there is not keeps no start from starting", async () => {
    for (const command of ["accept-anchor", "cut-unsigned"]) {
      const { code, err } = await chancery(command, "--log", "rekor-shard-9", "--data", data);
      expect([code, err]).toEqual([2, "chancery: --log: this installation has no log rekor-shard-9\n"]);
    }
    expect(await readdir(join(data, "anchor"))).not.toContain("rekor-shard-9");
    // Left by a version that made it.
    await mkdir(join(data, "anchor", "rekor-shard-9"));
    await using stack = await startTestStack({ data });
    expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
  });

  test("makes no installation where there is none, and wants to know which log", async () => {
    const nowhere = await chancery("accept-anchor", "--log", "rekor", "--data", join(data, "none"));
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining("holds no installation")]);
    expect((await chancery("accept-anchor")).err).toBe(
      "chancery: --log: say one of rekor, rekor-v2, ctlog, or rekor-shard-2 and so on\n",
    );
  });
});
