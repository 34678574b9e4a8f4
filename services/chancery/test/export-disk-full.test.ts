import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { ExportFile } from "../src/export/export-file.ts";

const run = promisify(execFile);
const SECRET = randomBytes(32);
const PAGE = new TextEncoder().encode("a line of an export\n".repeat(200));
const PAGES = 40;

const disk = await mkdtemp(join(tmpdir(), "export-disk-"));
const refusal = await run("mount", ["-t", "tmpfs", "-o", "size=64k,mode=0700", "export", disk]).then(
  () => undefined,
  (error: unknown) => ` [left out: no disk of its own can be mounted (${String(error).trim().split("\n").at(-1)})]`,
);

afterAll(async () => {
  if (refusal === undefined) await run("umount", ["--lazy", disk]);
  await rm(disk, { recursive: true, force: true });
});

async function write(file: ExportFile): Promise<void> {
  for (let page = Number(file.position?.["next"] ?? 0); page < PAGES; page++) {
    await file.append(PAGE, 200, { next: page + 1 });
  }
}

test.skipIf(refusal !== undefined)(
  `a full disk is told with the file, nothing claims to be whole, and with room again it ends as on any${refusal ?? ""}`,
  async () => {
    const path = join(disk, "out");
    // Saved after every page, and so also where the state is what no longer fits.
    const file = await ExportFile.create(path, SECRET, "begun", 0);
    await expect(write(file)).rejects.toThrow(`${path}.part and what belongs to it cannot be written (ENOSPC)`);
    await file[Symbol.asyncDispose]();
    expect((await readdir(disk)).toSorted()).toEqual(["out.part", "out.state"]);
    await expect(ExportFile.create(join(disk, "other"), SECRET, "begun")).rejects.toThrow("nothing was exported");
    expect((await readdir(disk)).toSorted()).toEqual(["out.part", "out.state"]);

    await run("mount", ["-o", "remount,size=1m", disk]);
    expect(await ExportFile.begunAt(path, SECRET)).toBe("begun");
    const again = await ExportFile.resume(path, SECRET);
    expect(Number(again.position?.["next"])).toBeGreaterThan(0);
    await write(again);
    const { count, sha256 } = await again.finished();
    await again.publish(new TextEncoder().encode("signed\n"));
    await again[Symbol.asyncDispose]();
    const whole = Buffer.concat(Array.from({ length: PAGES }, () => PAGE));
    expect([count, sha256]).toEqual([200 * PAGES, createHash("sha256").update(whole).digest("hex")]);
    expect(await readFile(path)).toEqual(whole);
    expect((await readdir(disk)).toSorted()).toEqual(["out", "out.manifest"]);
  },
);
