import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Replaces a file as a whole: after a crash the old one is there or the new one. */
export async function replaceFile(path: string, bytes: string | Uint8Array): Promise<void> {
  const beside = `${path}.new`;
  await using file = await open(beside, "w", 0o600);
  await file.writeFile(bytes);
  await file.sync();
  await rename(beside, path);
  await syncDirectory(dirname(path));
}

export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
