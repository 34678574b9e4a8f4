import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runningEmbedded } from "@chancery/postgres";
import { freePort } from "@chancery/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { logEntry } from "./log-entry.ts";
import { startTestStack } from "./start-stack.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-two-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** README, "More than one process". */
async function copyOf(data: string): Promise<string> {
  const copy = join(folder, "second");
  await mkdir(copy);
  for (const name of await readdir(data)) {
    if (["keys", "certificates", "installation.json", "authority.json"].includes(name)) {
      await cp(join(data, name), join(copy, name), { recursive: true });
    }
  }
  await symlink(join(data, "tuf"), join(copy, "tuf"));
  return copy;
}

test("two processes with one database, one anchor folder and one tuf folder grow one log, and start again", async () => {
  const [data, anchor] = [join(folder, "first"), join(folder, "anchor")];
  const url = `http://localhost:${await freePort()}`;
  const port = new URL(url).port;
  await using first = await startTestStack({ data, anchor, port, url });
  const second = await copyOf(data);
  const database = (await runningEmbedded(join(data, "postgres")))!;
  for (const round of [1, 2]) {
    const other = String(await freePort());
    const flags = { data: second, anchor, port: other, url, "database-url": database };
    await using stack = await startTestStack(flags);
    const here = `http://localhost:${other}`;
    for (const at of [first.url, here, first.url]) expect(await logEntry(at, `round ${round} at ${at}`)).toBe(201);
    for (const at of [first.url, here]) expect((await fetch(`${at}/readyz`)).status).toBe(200);
    const heads = await Promise.all(
      [first.url, here].map(async (at) => await (await fetch(`${at}/tuf/timestamp.json`)).text()),
    );
    expect(heads[0]).toBe(heads[1]);
    expect(stack.url).toBe(url);
  }
  expect(await readFile(join(anchor, "tuf"), "utf8")).toBe("1\n");
  let out = "";
  const code = await run(
    ["fsck", "--data", data, "--anchor", anchor],
    {},
    { out: (text) => void (out += text), err: () => {} },
  );
  expect(code, out).toBe(0);
  expect(out).toMatch(/^rekor: clean: 6 entries/m);
});
