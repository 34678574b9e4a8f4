import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileDirectory, FileVersionFloor, TufRepository } from "../src/index.ts";
import { START, tufKeys } from "./installation.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tuf-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

describe("a folder of metadata", () => {
  test("is made where there is none, and is empty", async () => {
    const directory = await FileDirectory.open(join(folder, "a/b"));
    expect(await directory.names()).toEqual([]);
    expect(await directory.read("timestamp.json")).toBeUndefined();
  });

  test("keeps what was written, for the next process too, and leaves nothing beside it", async () => {
    const directory = await FileDirectory.open(folder);
    await directory.write("timestamp.json", bytes("one"));
    await directory.write("timestamp.json", bytes("two"));
    await directory.write("targets/abc.rekor.pub", bytes("key"));
    const again = await FileDirectory.open(folder);
    expect([...(await again.names())].sort()).toEqual(["targets/abc.rekor.pub", "timestamp.json"]);
    expect(await again.read("timestamp.json")).toEqual(bytes("two"));
    expect((await readdir(folder)).toSorted()).toEqual(["targets", "timestamp.json"]);
    await again.remove("timestamp.json");
    await again.remove("timestamp.json");
    expect(await directory.names()).toEqual(["targets/abc.rekor.pub"]);
  });

  test("forgets what a crash left half-written", async () => {
    await mkdir(join(folder, "targets"));
    for (const name of ["timestamp.json.123.tmp", "targets/x.tmp"]) await writeFile(join(folder, name), "half");
    const directory = await FileDirectory.open(folder);
    expect(await directory.names()).toEqual([]);
    expect(await readdir(folder)).toEqual(["targets"]);
  });

  test("that cannot be written is an error and leaves no stray file", async () => {
    const directory = await FileDirectory.open(folder);
    // A folder in the name's place: the rename fails after the bytes were written.
    await mkdir(join(folder, "timestamp.json/x"), { recursive: true });
    await expect(directory.write("timestamp.json", bytes("one"))).rejects.toThrow();
    expect((await readdir(folder)).toSorted()).toEqual(["targets", "timestamp.json"]);
  });

  test("holds a repository that a plain copy can serve", async () => {
    const directory = await FileDirectory.open(join(folder, "tuf"));
    const targets = [{ name: "trusted_root.json", bytes: bytes("{}") }];
    const floor = new FileVersionFloor(join(folder, "anchor/tuf"));
    const repository = await TufRepository.open({ directory, floor, keys: tufKeys(), targets, now: START });
    for (const name of await directory.names()) {
      const onDisk = new Uint8Array(await readFile(join(folder, "tuf", name)));
      expect(repository.file(name)?.bytes, name).toEqual(onDisk);
      expect((await stat(join(folder, "tuf", name))).mode & 0o022, name).toBe(0);
    }
    expect(await readFile(join(folder, "anchor/tuf"), "utf8")).toBe("1\n");
  });
});

test("an old copy is refused with the names of both places, and what to do", async () => {
  const directory = await FileDirectory.open(join(folder, "tuf"));
  const floor = new FileVersionFloor(join(folder, "anchor/tuf"));
  const targets = [{ name: "trusted_root.json", bytes: bytes("{}") }];
  const open = () => TufRepository.open({ directory, floor, keys: tufKeys(), targets, now: START });
  await open();
  await floor.raise(2);
  await expect(open()).rejects.toThrow(
    `tuf: ${join(folder, "tuf")} is an old copy: it holds timestamp version 1, and 2 was given out before, as ${join(folder, "anchor/tuf")} says: stop, and put the newer directory in its place;`,
  );
});

describe("a version floor", () => {
  test("starts at zero, rises, and never goes down", async () => {
    const floor = new FileVersionFloor(join(folder, "deep/floor"));
    expect(await floor.read()).toBe(0);
    await floor.raise(7);
    await floor.raise(3);
    expect(await new FileVersionFloor(join(folder, "deep/floor")).read()).toBe(7);
  });

  test.for(["", "0", "-1", "x", "1e3", "12345678901234567890"])("refuses a file that holds %j", async (text) => {
    await writeFile(join(folder, "floor"), text);
    await expect(new FileVersionFloor(join(folder, "floor")).read()).rejects.toThrow(Misconfigured);
  });
});
