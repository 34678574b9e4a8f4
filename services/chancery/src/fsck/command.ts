import { type CleanLog, Difference, describePlace } from "@chancery/auditor";
import { countedEntries } from "@chancery/encoding";
import { Fault } from "@chancery/fault";
import { redact } from "@chancery/service";
import { parseFlags } from "../flags.ts";
import type { Environment } from "../settings.ts";
import { showBar } from "./progress-bar.ts";
import { openSources, type Source } from "./sources.ts";

const USAGE = `usage: chancery fsck [FLAGS]

Reads whole logs and derives every hash anew, with code that shares nothing with what grew them: checkpoint,
leaves, tiles and root; in a database also identities, leaf hashes, times and the anchor. Names the first
difference, and of a clean log what no hash covers and was not checked; that search keys are those of their
entries is 'chancery index verify'. The logs may be in use. Exit codes: 0 clean, 1 a difference, 2 could not
be read.

  --log NAME           only one of rekor, rekor-v2, ctlog        all
                       (rekor is all its shards; rekor-shard-2 is one)
  --url URL            from outside, through what anyone may read
  --database-url URL   from this PostgreSQL, with --log and --key; its anchor only if --anchor is given
  --data FOLDER        from this installation: its database, keys and anchor (the default,
                       as CHANCERY_DATA and CHANCERY_DATABASE_URL say)
  --anchor FOLDER      the logs' anchors                         CHANCERY_ANCHOR, or DATA/anchor
  --key FILE           the log's public key in PEM               the installation's, or URL/trust
  --json               one line of JSON a log
`;

const FLAGS = {
  log: { type: "string" },
  url: { type: "string" },
  "database-url": { type: "string" },
  data: { type: "string" },
  anchor: { type: "string" },
  key: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export type FsckFlags = ReturnType<typeof parseFlags<typeof FLAGS>>;

interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

type Outcome = CleanLog | Difference | Error;

/** `chancery fsck`: resolves with the exit code. What could not be read is never said to be damaged. */
export async function fsck(argv: readonly string[], environment: Environment, terminal: Terminal): Promise<number> {
  try {
    const flags = parseFlags(argv, FLAGS);
    if (flags.help === true) {
      terminal.out(USAGE);
      return 0;
    }
    await using sources = await openSources(flags, environment, (text) => terminal.err(text));
    const codes: number[] = [];
    for (const source of sources.logs) codes.push(await checkOne(source, flags.json === true, terminal));
    // A difference in one log outweighs that another could not be read.
    return codes.includes(1) ? 1 : Math.max(...codes);
  } catch (error) {
    terminal.err(`chancery: ${explain(error)}\n`);
    return 2;
  }
}

async function checkOne(source: Source, json: boolean, terminal: Terminal): Promise<number> {
  const bar = showBar(source.log, process.stderr, (text) => terminal.err(text));
  const started = performance.now();
  let outcome: Outcome;
  try {
    outcome = await source.check(bar.progress);
  } catch (error) {
    outcome = error instanceof Error ? error : new Error(String(error));
  } finally {
    bar.done();
  }
  const seconds = (performance.now() - started) / 1000;
  terminal.out(json ? `${JSON.stringify(asJson(source, outcome, seconds))}\n` : asText(source, outcome, seconds));
  return outcome instanceof Difference ? 1 : outcome instanceof Error ? 2 : 0;
}

function asText({ log, note, anchor }: Source, outcome: Outcome, seconds: number): string {
  if (outcome instanceof Difference) {
    const { place, expected, found, meaning } = outcome;
    const lines = [`DIFFERENCE at ${describePlace(place)}`, `  expected  ${expected}`, `  found     ${found}`];
    if (meaning !== undefined) lines.push(`  means     ${meaning}`);
    // Most often another one was meant.
    if (anchor !== undefined) lines.push(`  anchor    ${anchor}`);
    return `${log}: ${lines.join("\n")}\n`;
  }
  if (outcome instanceof Error) return `${log}: could not be read: ${explain(outcome)}\n`;
  const { size, root, checked, unchecked, notes } = outcome;
  const rate = Math.round(Number(size) / seconds).toLocaleString("en");
  const lines = [
    `clean: ${countedEntries(size.toLocaleString("en"))} in ${seconds.toFixed(1)} s (${rate}/s)`,
    `  root      ${root.toHex()}`,
    `  checked   ${checked.join(", ")}`,
    `  not       ${unchecked.join("; ")}`,
    ...[...(note === undefined ? [] : [note]), ...notes].map((text) => `  note      ${text}`),
  ];
  return `${log}: ${lines.join("\n")}\n`;
}

function asJson({ log, note }: Source, outcome: Outcome, seconds: number): object {
  if (outcome instanceof Difference) {
    const { place, expected, found, meaning } = outcome;
    const where = Object.fromEntries(
      Object.entries(place).map(([name, value]) => [name, typeof value === "bigint" ? String(value) : value]),
    );
    return { log, result: "difference", place: where, where: describePlace(place), expected, found, meaning };
  }
  if (outcome instanceof Error) return { log, result: "unreadable", reason: explain(outcome) };
  const { size, root, ...said } = outcome;
  const notes = [...(note === undefined ? [] : [note]), ...said.notes];
  const took = { seconds: Number(seconds.toFixed(3)) };
  return { log, result: "clean", size: String(size), root: root.toHex(), ...took, ...said, notes };
}

/** Planned failures in one line, with their cause; anything else is ours to explain, so its stack is shown. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return redact(String(error));
  if (!(error instanceof Fault)) return redact(error.stack ?? error.message);
  const { cause } = error;
  return redact(cause instanceof Error ? `${error.message} (${cause.message})` : error.message);
}
