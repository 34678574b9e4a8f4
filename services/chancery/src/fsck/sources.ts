import { createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { checkDatabase, checkUrl, type CleanLog, type Progress, rekorTrees } from "@chancery/auditor";
import { Misconfigured, NotFound } from "@chancery/fault";
import { Database } from "@chancery/postgres";
import { openInstallationDatabase, type Tell } from "../installation-database.ts";
import { type Environment, resolveSettings } from "../settings.ts";
import { readInstallation } from "../installation-file.ts";
import { awaitedLogs } from "../installation-state.ts";
import { isLogName, isRekorShard, LOG_NAMES, type LogName, rekorShardName } from "../log-names.ts";
import { logNamesOf, logOrigin } from "../log-origins.ts";
import type { FsckFlags } from "./command.ts";

/** A log and how it is read. */
export interface Source {
  readonly log: LogName;
  /** What a reader of the result should know of it. */
  readonly note?: string | undefined;
  /** The folder of the anchor that is looked at. */
  readonly anchor?: string | undefined;
  readonly check: (progress: Progress) => Promise<CleanLog>;
}

export interface Sources extends AsyncDisposable {
  readonly logs: readonly Source[];
}

const CONNECTIONS = 4;

export async function openSources(flags: FsckFlags, environment: Environment, tell: Tell): Promise<Sources> {
  const names = chosenLogs(flags);
  const given = flags.key === undefined ? undefined : await readKey(flags.key);
  if (given !== undefined && names.length > 1) throw new Misconfigured("--key", "is of one log: say which with --log");
  if (flags.url !== undefined) return await urlSources(flags, flags.url, names, given);
  await using opened = new AsyncDisposableStack();
  const logs =
    flags["database-url"] !== undefined && flags.data === undefined
      ? await databaseSources(flags, flags["database-url"], names, given, opened)
      : await installationSources(flags, environment, names, opened, given, tell);
  const all = opened.move();
  return { logs, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

function chosenLogs({ log }: FsckFlags): readonly LogName[] {
  if (log === undefined) return LOG_NAMES;
  if (!isLogName(log)) throw new Misconfigured("--log", `${log} is none of ${LOG_NAMES.join(", ")}`);
  return [log];
}

/** Of the names that were chosen; by `rekor` all shards of the v1 log are meant. */
function chosenOf(names: readonly LogName[], all: readonly LogName[]): readonly LogName[] {
  const chosen = all.filter((log) => names.includes(log) || (names.includes("rekor") && isRekorShard(log)));
  if (chosen.length === 0) throw new Misconfigured("--log", `${names.join(", ")} is none of ${all.join(", ")}`);
  return chosen;
}

function kindOf(log: LogName): "rekor" | "rekor-v2" | "ctlog" {
  return isRekorShard(log) ? "rekor" : log;
}

async function readKey(path: string): Promise<KeyObject> {
  try {
    // Of a private key the public half is taken.
    return createPublicKey(await readFile(path));
  } catch (cause) {
    throw new Misconfigured("--key", `${path} is no key in PEM that can be read`, { cause });
  }
}

async function urlSources(
  flags: FsckFlags,
  url: string,
  names: readonly LogName[],
  key: KeyObject | undefined,
): Promise<Sources> {
  if (flags.data !== undefined || flags["database-url"] !== undefined || flags.anchor !== undefined) {
    throw new Misconfigured("--url", "reads from outside: not together with --data, --database-url or --anchor");
  }
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new Misconfigured("--url", `${url} is not an absolute http or https URL`);
  }
  const note =
    key === undefined ? "the key is the server's own word: --key FILE checks against one you have" : undefined;
  const checkOf = (log: LogName, treeId?: string) => (progress: Progress) =>
    checkUrl({ url, log: kindOf(log), treeId, key, progress });
  const trees = names.some(isRekorShard) ? await servedTrees(url) : [];
  // Which trees there are is not known: then nothing is judged in the place of what was asked for.
  if (trees instanceof Error) {
    const unread = names.filter(isRekorShard).map((log) => ({ log, check: () => Promise.reject(trees) }));
    const others = names.filter((log) => !isRekorShard(log)).map((log) => ({ log, note, check: checkOf(log) }));
    return { logs: [...unread, ...others], [Symbol.asyncDispose]: async () => {} };
  }
  const all = [...trees.map((_, at) => rekorShardName(at)), "rekor-v2", "ctlog"] as const;
  const logs = chosenOf(names, all).map((log) => ({ log, note, check: checkOf(log, trees[all.indexOf(log)]) }));
  if (key !== undefined && logs.length > 1) throw new Misconfigured("--key", "is of one log: say which shard");
  return { logs, [Symbol.asyncDispose]: async () => {} };
}

/** The trees of the v1 log, oldest first; why, where that cannot be read. */
async function servedTrees(url: string): Promise<readonly string[] | Error> {
  return await rekorTrees(url).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
}

async function databaseSources(
  flags: FsckFlags,
  url: string,
  [log, ...more]: readonly LogName[],
  key: KeyObject | undefined,
  opened: AsyncDisposableStack,
): Promise<Source[]> {
  if (log === undefined || more.length > 0 || key === undefined) {
    throw new Misconfigured("--database-url", "needs --log and --key, or --data for all of an installation");
  }
  const db = opened.use(await Database.open(url, { max: CONNECTIONS }));
  const anchor = flags.anchor && join(resolve(flags.anchor), log);
  const note = anchor ? undefined : "without its anchor: a database that was put back as a whole cannot be told";
  const parts = { db, name: log, kind: kindOf(log), key, signs: signs(log), anchor };
  return [{ log, note, anchor, check: (progress) => checkDatabase({ ...parts, progress }) }];
}

async function installationSources(
  flags: FsckFlags,
  environment: Environment,
  names: readonly LogName[],
  opened: AsyncDisposableStack,
  given: KeyObject | undefined,
  tell: Tell,
): Promise<Source[]> {
  const told = { data: flags.data, anchor: flags.anchor, "database-url": flags["database-url"] };
  const { data, anchor: anchors, databaseUrl } = await resolveSettings(told, environment);
  const installation = await readInstallation(data);
  const chosen = chosenOf(names, logNamesOf(installation));
  if (given !== undefined && chosen.length > 1) throw new Misconfigured("--key", "is of one log: say which shard");
  const db = await openInstallationDatabase(data, databaseUrl, opened, tell);
  const awaited = await awaitedLogs(data, chosen);
  return Promise.all(
    chosen.map(async (name) => {
      const key = given ?? (await readKey(join(data, "keys", `${name}.pem`)));
      const anchor = join(anchors, name);
      const parts = {
        db,
        name,
        kind: kindOf(name),
        key,
        signs: signs(name),
        origin: logOrigin(installation, name),
        anchor,
      };
      const check = (progress: Progress) => checkDatabase({ ...parts, progress });
      return { log: name, anchor, check: awaited.includes(name) ? onceMade(name, check) : check };
    }),
  );
}

/** From `chancery shard` until the next start a log is named and is not there. */
function onceMade(name: LogName, check: Source["check"]): Source["check"] {
  return (progress) =>
    check(progress).catch((error: unknown) => {
      if (error instanceof NotFound)
        throw new NotFound(`log: ${name} is not made yet: the next start of chancery makes it`);
      throw error;
    });
}

function signs(log: LogName): "text" | "tree head" {
  return log === "ctlog" ? "tree head" : "text";
}
