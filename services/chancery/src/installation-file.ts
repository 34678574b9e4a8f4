import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { z } from "zod";
import { withLock } from "./durable-file.ts";

/** Only what is needed of it; who opens the installation to run it checks the rest. */
const installationFile = z.object({
  hostname: z.string(),
  treeId: z.string(),
  shard: z.string(),
  rekorShards: z.array(z.object({ treeId: z.string(), first: z.string() })).default([]),
});
export type ReadInstallation = z.infer<typeof installationFile>;

export async function readInstallation(data: string): Promise<ReadInstallation> {
  const path = join(data, "installation.json");
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) throw new Misconfigured("--data", `${data} holds no installation`);
  try {
    return installationFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new Misconfigured("--data", `${path} is not whole`, { cause });
  }
}

const LOCK_WAIT_MS = 30_000;

/** No other start and no `chancery init` changes the folder meanwhile. */
export function alone<T>(directory: string, work: () => Promise<T>): Promise<T> {
  return withLock(join(directory, "installation.lock"), LOCK_WAIT_MS, work);
}
