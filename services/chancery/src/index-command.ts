import { Misconfigured } from "@chancery/fault";
import { PostgresLogStore, PostgresSearchIndex } from "@chancery/log";
import { type IndexDifference, rebuildIndex, verifyIndex } from "@chancery/rekor";
import { parseFlags } from "./flags.ts";
import { showBar } from "./fsck/progress-bar.ts";
import { readInstallation } from "./installation-file.ts";
import { openInstallationDatabase } from "./installation-database.ts";
import { isLogName, isRekorShard, type LogName } from "./log-names.ts";
import { logNamesOf } from "./log-origins.ts";
import { onOwnDatabase } from "./own-database.ts";
import { type Environment, resolveSettings } from "./settings.ts";

const USAGE = `usage: chancery index rebuild|verify [FLAGS]

What entries are found by. It is written with each entry, and is a function of nothing but what is stored of it.

  rebuild  adds what is missing, of every published entry: those of before there was this search, after an upgrade
  verify   holds all that is stored against the entries, and names the first differences

Both while chancery runs, and with a role that may only read and add. Exit codes: 0 well, 1 a difference, 2 failed.

  --log NAME           only one of rekor, rekor-v2               both
                       (rekor is all its shards; rekor-shard-2 is one)
  --json               one line of JSON a log
  --data FOLDER        the installation                          CHANCERY_DATA, or ./.chancery
  --database-url URL   its PostgreSQL, if not the embedded one   CHANCERY_DATABASE_URL
`;

const FLAGS = {
  log: { type: "string" },
  json: { type: "boolean" },
  data: { type: "string" },
  "database-url": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

type Work = (index: PostgresSearchIndex, name: string, json: boolean, terminal: Terminal) => Promise<number>;
const WORK: Readonly<Record<string, Work>> = { rebuild, verify };

/** `chancery index`: resolves with the exit code. */
export async function indexCommand(
  [verb = "", ...argv]: readonly string[],
  environment: Environment,
  terminal: Terminal,
): Promise<number> {
  const work = WORK[verb];
  const isHelp = verb === "" || verb === "--help" || verb === "-h";
  if (work === undefined && !isHelp) throw new Misconfigured(`index ${verb}`, "there is only rebuild and verify");
  const flags = parseFlags(argv, FLAGS);
  if (work === undefined || flags.help === true) {
    terminal.out(USAGE);
    return verb === "" ? 2 : 0;
  }
  const { data, databaseUrl } = await resolveSettings(
    { data: flags.data, "database-url": flags["database-url"] },
    environment,
  );
  if (flags.log !== undefined && (!isLogName(flags.log) || flags.log === "ctlog")) {
    throw new Misconfigured("--log", `${flags.log} is none of rekor, rekor-v2`);
  }
  const names = await chosenLogs(flags.log, data, databaseUrl);
  await using opened = new AsyncDisposableStack();
  const db = await openInstallationDatabase(data, databaseUrl, opened);
  // The tables may be of before.
  await onOwnDatabase(databaseUrl, PostgresLogStore.open(db));
  const codes: number[] = [];
  for (const name of names) {
    const index = await PostgresSearchIndex.open(db, name);
    if (index === undefined) throw new Misconfigured("--data", `its database holds no log ${name}`);
    codes.push(await work(index, name, flags.json === true, terminal));
  }
  return Math.max(...codes);
}

/** Those that are searched; by `rekor` all its shards are meant. With a database alone, those that every installation has. */
async function chosenLogs(
  asked: string | undefined,
  data: string,
  databaseUrl: string | undefined,
): Promise<LogName[]> {
  const installation = await readInstallation(data).catch((error: unknown) => {
    if (databaseUrl === undefined) throw error;
    return { treeId: "1", rekorShards: [] };
  });
  const all = logNamesOf(installation).filter((name) => name !== "ctlog");
  const names = all.filter(
    (name) => asked === undefined || name === asked || (asked === "rekor" && isRekorShard(name)),
  );
  if (names.length === 0) throw new Misconfigured("--log", `${asked} is none of ${all.join(", ")}`);
  return names;
}

async function rebuild(index: PostgresSearchIndex, log: string, json: boolean, terminal: Terminal): Promise<number> {
  const bar = showBar(log, process.stderr, (text) => terminal.err(text));
  const added = await rebuildIndex(index, bar.progress).finally(() => bar.done());
  const size = (await index.reader.published())?.head.size ?? 0n;
  const line = json
    ? JSON.stringify({ log, result: "rebuilt", added: String(added), size: String(size) })
    : `${log}: every entry is found; of ${added.toLocaleString("en")} something was missing`;
  terminal.out(`${line}\n`);
  return 0;
}

async function verify(index: PostgresSearchIndex, log: string, json: boolean, terminal: Terminal): Promise<number> {
  const bar = showBar(log, process.stderr, (text) => terminal.err(text));
  const differences = await verifyIndex(index, bar.progress).finally(() => bar.done());
  const unindexed = await index.reader.unindexed();
  terminal.out(json ? `${asJson(log, differences, unindexed)}\n` : asText(log, differences, unindexed));
  return differences.length === 0 && unindexed === 0n ? 0 : 1;
}

function asJson(log: string, differences: readonly IndexDifference[], unindexed: bigint): string {
  const result = differences.length === 0 && unindexed === 0n ? "well" : "different";
  const listed = differences.map(({ index, what }) => ({ ...(index !== undefined && { index: String(index) }), what }));
  return JSON.stringify({ log, result, unindexed: String(unindexed), differences: listed });
}

function asText(log: string, differences: readonly IndexDifference[], unindexed: bigint): string {
  const lines = differences.map(({ index, what }) => `  ${index === undefined ? "" : `entry ${index}: `}${what}\n`);
  if (unindexed > 0n) {
    lines.unshift(`  the first ${unindexed} entries are of before there was this search: chancery index rebuild\n`);
  }
  return lines.length === 0 ? `${log}: all keys are those of the entries\n` : `${log}: DIFFERENT\n${lines.join("")}`;
}
