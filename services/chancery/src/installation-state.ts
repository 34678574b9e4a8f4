import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { parseYaml } from "@chancery/service";
import { z } from "zod";
import { removeDurably, writeDurably } from "./durable-file.ts";
import { LOG_NAMES, type LogName, MOST_REKOR_SHARDS } from "./log-names.ts";

export const INSTALLATION_FILE = "installation.json";
/** From before `installation.json` names a log until that is in the database: a line each, or nothing for all of the first. */
const AWAITS_LOGS = "logs.unmade";

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);
const treeId = z.string().regex(/^[1-9]\d{0,18}$/);

const installationFile = z.strictObject({
  version: z.literal(1),
  hostname: z.string().min(1),
  treeId,
  shard: z.string().min(1),
  created: z.iso.datetime(),
  /** SHA-256 of each public key: a key file that was swapped is found before it signs. */
  keys: z.strictObject({
    rekor: fingerprint,
    /** Older installations have none; the next start adds it. */
    "rekor-v2": fingerprint.optional(),
    ctlog: fingerprint,
    tsa: fingerprint,
    "tuf-root": fingerprint,
    "tuf-online": fingerprint,
    "tsa-root": fingerprint,
    "fulcio-root": fingerprint.optional(),
    "fulcio-intermediate": fingerprint.optional(),
  }),
  /** The shards of Rekor's v1 log that followed its first one, which `treeId` and `keys.rekor` are of; oldest first. */
  rekorShards: z
    .array(
      z.strictObject({
        treeId,
        key: fingerprint,
        /** The virtual index of its first entry: how many entries the frozen shards before it have. */
        first: z.string().regex(/^(0|[1-9]\d{0,15})$/),
        since: z.iso.datetime(),
        /** Until when the shard before it may have logged. */
        previousUntil: z.iso.datetime(),
      }),
    )
    .max(MOST_REKOR_SHARDS - 1)
    .optional(),
});
export type InstallationFile = z.infer<typeof installationFile>;

export async function readInstallationFile(directory: string): Promise<InstallationFile> {
  const path = join(directory, INSTALLATION_FILE);
  const parsed = installationFile.safeParse(parseYaml(await readFile(path, "utf8"), path));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Misconfigured(path, `${issue?.path.join(".") ?? ""} ${issue?.message ?? "is not whole"}`.trim());
}

export async function writeInstallationFile(directory: string, file: InstallationFile): Promise<void> {
  await writeDurably(join(directory, INSTALLATION_FILE), `${JSON.stringify(file, null, 2)}\n`);
}

/** Of a first run: every log. */
export async function awaitFirstLogs(directory: string): Promise<void> {
  await writeDurably(join(directory, AWAITS_LOGS), "");
}

/** One more, before anything says that there is such a log. */
export async function awaitLog(directory: string, name: LogName): Promise<void> {
  const marked = await readMark(directory);
  // One that is there already awaits every log.
  if (marked?.length === 0) return;
  await writeDurably(join(directory, AWAITS_LOGS), [...new Set([...(marked ?? []), name]), ""].join("\n"));
}

/** Of the logs that there are. What else the mark names was never begun: a crash came before. */
export async function awaitedLogs(directory: string, logs: readonly LogName[]): Promise<readonly LogName[]> {
  const marked = await readMark(directory);
  if (marked === undefined) return [];
  return marked.length === 0 ? LOG_NAMES : logs.filter((name) => marked.includes(name));
}

/** To be called when the logs are in the database and before anything is served: from here on a missing log was lost. */
export async function confirmLogs(directory: string): Promise<void> {
  await removeDurably(join(directory, AWAITS_LOGS));
}

async function readMark(directory: string): Promise<readonly string[] | undefined> {
  if (!(await readdir(directory)).includes(AWAITS_LOGS)) return undefined;
  const text = await readFile(join(directory, AWAITS_LOGS), "utf8");
  return text.split("\n").filter((line) => line !== "");
}
