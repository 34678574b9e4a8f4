import { Misconfigured } from "@chancery/fault";
import { PostgresLogStore, PostgresSearchIndex } from "@chancery/log";
import {
  type DamagedStretches,
  describeDamage,
  type IndexDifference,
  PublishedTree,
  rebuildIndex,
  type VouchedTree,
  verifyIndex,
} from "@chancery/rekor";
import { parseFlags } from "./flags.ts";
import { showBar } from "./fsck/progress-bar.ts";
import { type ReadInstallation, readInstallation } from "./installation-file.ts";
import { openInstallationDatabase } from "./installation-database.ts";
import { isLogName, isRekorShard, type LogName } from "./log-names.ts";
import { logNamesOf } from "./log-origins.ts";
import { onOwnDatabase } from "./own-database.ts";
import { publishedHead } from "./published-head.ts";
import { type Environment, resolveSettings } from "./settings.ts";

const USAGE = `usage: chancery index rebuild|verify [FLAGS]

What entries are found by. It is written with each entry, and is a function of nothing but what is stored of it.

  rebuild  adds what is missing, of every published entry: those of before there was this search, after an upgrade
  verify   holds all that is stored against the entries, and names the first differences

Each entry is held against the published tree first. One that is not in it is damaged: verify judges nothing by it, rebuild
adds nothing for it. Mend such entries first, then see to the index: else good rows are taken for wrong ones.
Both while chancery runs, and with a role that may only read and add. Exit codes: 0 well, 1 a difference, 2 failed.

  --log NAME           only one of rekor, rekor-v2               both
                       (rekor is all its shards; rekor-shard-2 is one)
  --json               one line of JSON a log
  --data FOLDER        the installation                          CHANCERY_DATA, or ./.chancery
  --anchor FOLDER      its anchors: no tree that is older than   CHANCERY_ANCHOR, or DATA/anchor
                       what they know of is taken for the newest
  --database-url URL   its PostgreSQL, if not the embedded one   CHANCERY_DATABASE_URL
`;

const FLAGS = {
  log: { type: "string" },
  json: { type: "boolean" },
  data: { type: "string" },
  anchor: { type: "string" },
  "database-url": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

interface Job {
  readonly index: PostgresSearchIndex;
  readonly tree: VouchedTree;
  /** Its size is nobody's word but the database's. */
  readonly isOwnWord: boolean;
  readonly log: string;
  readonly json: boolean;
  readonly terminal: Terminal;
}

type Work = (job: Job) => Promise<number>;
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
  const told = { data: flags.data, anchor: flags.anchor, "database-url": flags["database-url"] };
  const { data, anchor, databaseUrl } = await resolveSettings(told, environment);
  if (flags.log !== undefined && (!isLogName(flags.log) || flags.log === "ctlog")) {
    throw new Misconfigured("--log", `${flags.log} is none of rekor, rekor-v2`);
  }
  const installation = await installationAt(data, databaseUrl);
  const outside = { data, anchor, isAnchorTold: flags.anchor !== undefined, installation };
  const names = chosenLogs(flags.log, installation);
  await using opened = new AsyncDisposableStack();
  const db = await openInstallationDatabase(data, databaseUrl, opened, (text) => terminal.err(text));
  // The tables may be of before.
  await onOwnDatabase(databaseUrl, PostgresLogStore.open(db));
  const codes: number[] = [];
  for (const name of names) {
    const index = await PostgresSearchIndex.open(db, name);
    if (index === undefined) throw new Misconfigured("--data", `its database holds no log ${name}`);
    const head = await publishedHead(index.reader, name, outside);
    const tree = new PublishedTree(index.reader, head);
    codes.push(await work({ index, tree, isOwnWord: head.isOwnWord, log: name, json: flags.json === true, terminal }));
  }
  return Math.max(...codes);
}

/** Undefined where there is a database alone. */
async function installationAt(data: string, databaseUrl: string | undefined): Promise<ReadInstallation | undefined> {
  return await readInstallation(data).catch((error: unknown) => {
    if (databaseUrl === undefined) throw error;
    return undefined;
  });
}

/** Those that are searched; by `rekor` all its shards are meant. With a database alone, those that every installation has. */
function chosenLogs(asked: string | undefined, installation: ReadInstallation | undefined): LogName[] {
  const all = logNamesOf(installation ?? { treeId: "1", rekorShards: [] }).filter((name) => name !== "ctlog");
  const names = all.filter(
    (name) => asked === undefined || name === asked || (asked === "rekor" && isRekorShard(name)),
  );
  if (names.length === 0) throw new Misconfigured("--log", `${asked} is none of ${all.join(", ")}`);
  return names;
}

async function rebuild({ index, tree, isOwnWord, log, json, terminal }: Job): Promise<number> {
  const bar = showBar(log, process.stderr, (text) => terminal.err(text));
  const { added, damaged } = await rebuildIndex(index, tree, bar.progress).finally(() => bar.done());
  const isWhole = damaged.count === 0n;
  if (json) {
    const said = { log, result: isWhole ? "rebuilt" : "damaged", added: String(added), size: String(tree.size) };
    terminal.out(`${JSON.stringify({ ...said, ...damagedJson(damaged), ...notesJson(isOwnWord) })}\n`);
  } else {
    const found = isWhole ? "every entry is found" : "NOT REBUILT for damaged entries";
    terminal.out(`${log}: ${found} (size ${tree.size}); of ${added.toLocaleString("en")} something was missing\n`);
    terminal.out(damagedLines(damaged, "nothing was added for them; ").join("") + noteLine(isOwnWord));
  }
  return isWhole ? 0 : 1;
}

async function verify({ index, tree, isOwnWord, log, json, terminal }: Job): Promise<number> {
  const bar = showBar(log, process.stderr, (text) => terminal.err(text));
  const { damaged, differences } = await verifyIndex(index, tree, bar.progress).finally(() => bar.done());
  const unindexed = await index.reader.unindexed();
  const verdict = { size: tree.size, isOwnWord, damaged, differences, unindexed };
  terminal.out(json ? `${asJson(log, verdict)}\n` : asText(log, verdict));
  return isWell(verdict) ? 0 : 1;
}

interface Verdict {
  readonly size: bigint;
  readonly isOwnWord: boolean;
  readonly damaged: DamagedStretches;
  readonly differences: readonly IndexDifference[];
  readonly unindexed: bigint;
}

function isWell({ damaged, differences, unindexed }: Verdict): boolean {
  return damaged.count === 0n && differences.length === 0 && unindexed === 0n;
}

/** Who hides an entry of the end writes there that the log ends before it. */
const OWN_WORD =
  "that size is the database's own word: to hold it against key and anchor, say --data FOLDER of the installation";

function noteLine(isOwnWord: boolean): string {
  return isOwnWord ? `  note: ${OWN_WORD}\n` : "";
}

function notesJson(isOwnWord: boolean): object {
  return isOwnWord ? { notes: [OWN_WORD] } : {};
}

function damagedJson({ first, count }: DamagedStretches): object {
  if (count === 0n) return {};
  const stretches = first.map((one) => ({ first: String(one.first), end: String(one.end), exact: one.isExact }));
  return { damagedEntries: String(count), damaged: stretches };
}

/** Entries before their index: who goes the other way deletes the good rows of a forged entry. */
function damagedLines({ first, count }: DamagedStretches, consequence = ""): string[] {
  if (count === 0n) return [];
  const told = first.reduce((sum, one) => sum + (one.end - one.first), 0n);
  return [
    ...first.map((one) => `  ${describeDamage(one)}\n`),
    ...(told < count ? [`  and ${(count - told).toLocaleString("en")} more entries behind them\n`] : []),
    `  ${consequence}first put the rows of log.entry and log.tile that chancery fsck names back from a backup or a replica\n`,
    `  (README, "When something is wrong"), then run this again; delete no search row of these entries before\n`,
  ];
}

function asJson(log: string, verdict: Verdict): string {
  const { size, isOwnWord, damaged, differences, unindexed } = verdict;
  const result = isWell(verdict) ? "well" : "different";
  const listed = differences.map(({ index, what }) => ({
    index: index === undefined ? undefined : String(index),
    what,
  }));
  return JSON.stringify({
    log,
    result,
    size: String(size),
    unindexed: String(unindexed),
    differences: listed,
    ...damagedJson(damaged),
    ...notesJson(isOwnWord),
  });
}

function asText(log: string, verdict: Verdict): string {
  const { size, isOwnWord, damaged, differences, unindexed } = verdict;
  const lines = differences.map(({ index, what }) => `  ${index === undefined ? "" : `entry ${index}: `}${what}\n`);
  lines.unshift(...damagedLines(damaged));
  if (unindexed > 0n) {
    lines.unshift(`  the first ${unindexed} entries are of before there was this search: chancery index rebuild\n`);
  }
  const found = isWell(verdict) ? "all keys are those of the entries" : "DIFFERENT";
  return `${log}: ${found} (size ${size})\n${lines.join("")}${noteLine(isOwnWord)}`;
}
