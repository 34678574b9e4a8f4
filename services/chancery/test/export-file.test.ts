import { createHash, randomBytes } from "node:crypto";
import {
  appendFile,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ExportFile } from "../src/export/export-file.ts";

const PAGES = Array.from({ length: 7 }, (_, at) => `${"äöü😀".repeat(at)}line ${at}\n`.repeat(at + 1));
const SECRET = randomBytes(32);
const MANIFEST = new TextEncoder().encode("signed\n");

let folder: string;
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "export-file-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Writes the pages that are left, and ends as a killed process does after `most` of them. */
async function write(file: ExportFile, most = Infinity): Promise<boolean> {
  const first = file.position === undefined ? 0 : Number(file.position["next"]);
  for (const [at, page] of PAGES.entries()) {
    if (at < first) continue;
    if (at - first >= most) return false;
    await file.append(new TextEncoder().encode(page), at + 1, { next: at + 1 });
  }
  return true;
}

describe("a file that grows", () => {
  test.for([0, 1, 2, 5])("killed after every %i pages it ends as one that never was", async (most) => {
    const path = join(folder, `killed-${++made}`);
    // Every page is saved, or only what was when the file was made.
    for (const saveMs of [0, 1e9]) {
      await rm(path, { force: true });
      await rm(`${path}.manifest`, { force: true });
      let file = await ExportFile.create(path, SECRET, { what: "pages" }, saveMs);
      for (let kills = 0; !(await write(file, kills > 9 ? Infinity : most)); kills++) {
        await file[Symbol.asyncDispose]();
        await appendFile(`${path}.part`, "a torn li");
        expect(await ExportFile.begunAt(path, SECRET)).toEqual({ what: "pages" });
        file = await ExportFile.resume(path, SECRET, saveMs);
      }
      const { bytes, count, sha256 } = await file.finished();
      await file.publish(MANIFEST);
      await file[Symbol.asyncDispose]();
      const text = await readFile(path, "utf8");
      expect(text).toBe(PAGES.join(""));
      expect([bytes, count, sha256]).toEqual([
        Buffer.byteLength(text),
        28,
        createHash("sha256").update(text).digest("hex"),
      ]);
      expect(await ExportFile.begunAt(path, SECRET)).toBeUndefined();
    }
  });

  test("killed between its manifest, its name and the end of its state it is whole after the next start", async () => {
    const path = join(folder, "published");
    const file = await ExportFile.create(path, SECRET, "begun");
    await write(file);
    await file.finished();
    const state = await readFile(`${path}.state`, "utf8");
    await writeFile(`${path}.manifest`, MANIFEST);
    await file[Symbol.asyncDispose]();
    const again = await ExportFile.resume(path, SECRET);
    expect(await write(again)).toBe(true);
    await again.finished();
    await again.publish(MANIFEST);
    await again[Symbol.asyncDispose]();
    // The name was given, and the state is still there.
    await writeFile(`${path}.state`, state);
    expect(await ExportFile.begunAt(path, SECRET)).toBeUndefined();
    expect(await readFile(path, "utf8")).toBe(PAGES.join(""));
    await rename(path, `${path}.kept`);
  });

  test("goes on with no other file that was put in its place, and leaves that one as it was", async () => {
    const victim = join(folder, "victim");
    const puts = { link, symlink, other: (from: string, to: string) => copyFile(from, to) };
    for (const [way, put] of Object.entries(puts)) {
      const path = join(folder, `replaced-by-${way}`);
      // Nothing is saved yet, or some of it.
      for (const pages of way === "other" ? [2] : [0, 2]) {
        await writeFile(victim, "precious ".repeat(1000));
        const file = await ExportFile.create(path, SECRET, "begun", 0);
        await write(file, pages);
        await file[Symbol.asyncDispose]();
        await rm(`${path}.part`);
        await put(victim, `${path}.part`);
        await expect(ExportFile.resume(path, SECRET)).rejects.toThrow(
          /ELOOP|is no file of an export|was changed since/,
        );
        expect(await readFile(`${path}.part`, "utf8")).toBe("precious ".repeat(1000));
        await Promise.all([".part", ".state"].map((end) => rm(path + end)));
      }
    }
  });

  test("goes on with no state that was written by who has not its secret", async () => {
    const path = join(folder, "forged");
    const file = await ExportFile.create(path, SECRET, { filters: { san: ["mine"] } }, 0);
    await write(file, 2);
    await file[Symbol.asyncDispose]();
    const state = await readFile(`${path}.state`, "utf8");
    // A file of the forger's, as long and with the hash that the state then says.
    const part = await readFile(`${path}.part`, "utf8");
    const forged = part.replace("line", "lie!");
    const [before, after] = [part, forged].map((text) => createHash("sha256").update(text).digest("hex"));
    expect(state).toContain(before);
    const changes = [
      state.replace(before!, after!),
      state.replace("mine", "your"),
      state.replace(/"count":\d+/, `"count":99`),
      `${state.split("\n")[0]}\n\n`,
      state.replace(/(?<=\n)[^]*/, `${"0".repeat(64)}\n`),
    ];
    await writeFile(`${path}.part`, forged);
    for (const changed of changes) {
      expect(changed).not.toBe(state);
      await writeFile(`${path}.state`, changed);
      await expect(ExportFile.begunAt(path, SECRET)).rejects.toThrow("state was changed since");
      await expect(ExportFile.resume(path, SECRET)).rejects.toThrow("state was changed since");
    }
    await writeFile(`${path}.state`, state);
    await writeFile(`${path}.part`, part);
    await expect(ExportFile.resume(path, randomBytes(32))).rejects.toThrow("state was changed since");
    await (await ExportFile.resume(path, SECRET))[Symbol.asyncDispose]();
  });

  test("goes on with no folder in its place", async () => {
    const path = join(folder, "replaced-by-folder");
    await (await ExportFile.create(path, SECRET, "begun"))[Symbol.asyncDispose]();
    await rm(`${path}.part`);
    await mkdir(`${path}.part`);
    await expect(ExportFile.resume(path, SECRET)).rejects.toThrow("cannot be opened (EISDIR)");
  });

  test("does not begin where something is", async () => {
    for (const suffix of ["", ".part", ".state", ".manifest"]) {
      const path = join(folder, `taken${suffix.slice(1)}`);
      await writeFile(path + suffix, "mine");
      await expect(ExportFile.create(path, SECRET, "begun")).rejects.toThrow("is there already");
      expect(await readFile(path + suffix, "utf8")).toBe("mine");
    }
    await expect(ExportFile.create(join(folder, "no", "such"), SECRET, "begun")).rejects.toThrow(
      "cannot be opened (ENOENT)",
    );
  });

  test("does not replace what came to bear its name meanwhile, and gets it when that is gone", async () => {
    for (const suffix of ["", ".manifest"]) {
      const path = join(folder, `appeared${suffix.slice(1)}`);
      const file = await ExportFile.create(path, SECRET, "begun");
      await write(file);
      await file.finished();
      await writeFile(path + suffix, "precious");
      await expect(file.publish(MANIFEST)).rejects.toThrow(`${path}${suffix} appeared while this export ran`);
      await file[Symbol.asyncDispose]();
      expect(await readFile(path + suffix, "utf8")).toBe("precious");
      await rm(path + suffix);
      const again = await ExportFile.resume(path, SECRET);
      await again.finished();
      await again.publish(MANIFEST);
      await again[Symbol.asyncDispose]();
      expect(await readFile(path, "utf8")).toBe(PAGES.join(""));
      expect((await readdir(folder)).filter((name) => name.startsWith(`appeared${suffix.slice(1)}.`))).toEqual([
        `appeared${suffix.slice(1)}.manifest`,
      ]);
    }
  });

  test("killed with both names it is whole after the next start", async () => {
    const path = join(folder, "two-names");
    const file = await ExportFile.create(path, SECRET, "begun");
    await write(file);
    await file.finished();
    await writeFile(`${path}.manifest`, MANIFEST);
    await link(`${path}.part`, path);
    await file[Symbol.asyncDispose]();
    expect(await ExportFile.begunAt(path, SECRET)).toBeUndefined();
    expect((await readdir(folder)).filter((name) => name.startsWith("two-names"))).toEqual([
      "two-names",
      "two-names.manifest",
    ]);
  });

  test("that nothing whole is known of is not gone on with", async () => {
    const path = join(folder, "broken");
    await writeFile(`${path}.state`, "{");
    await expect(ExportFile.begunAt(path, SECRET)).rejects.toThrow("is not whole");
  });
});
