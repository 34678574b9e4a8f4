import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Fault, Misconfigured } from "@chancery/fault";
import { SERVE_FLAGS } from "./serve-flags.ts";
import type { Environment, ServeFlags } from "./settings.ts";

const USAGE = `usage: chancery serve [FLAGS]

Runs Fulcio, Rekor, the CT log, the timestamp authority and the trust root in one process on one origin.

  --host HOST          CHANCERY_HOST          address to listen on             127.0.0.1
  --port PORT          CHANCERY_PORT          port to listen on                8700
  --url URL            CHANCERY_URL           public origin of everything      http://localhost:PORT
  --data FOLDER        CHANCERY_DATA          keys, certificates, database     ./.chancery
  --anchor FOLDER      CHANCERY_ANCHOR        what was signed last             DATA/anchor
  --database-url URL   CHANCERY_DATABASE_URL  a PostgreSQL of your own         an embedded one
  --config FILE        CHANCERY_CONFIG        who may sign, in Fulcio's format development mode
  --grpc-port PORT     CHANCERY_GRPC_PORT     port for Fulcio's gRPC API       none
  --auditor on|off     CHANCERY_AUDITOR       checks the logs all day          on
  --ca-key FILE        CHANCERY_CA_KEY        a CA key of your own (PKCS#8)    made on the first run
  --ca-chain FILE      CHANCERY_CA_CHAIN      its certificates, the root last
  --ca-passphrase-file CHANCERY_CA_PASSPHRASE_FILE, or the passphrase itself in CHANCERY_CA_PASSPHRASE

CHANCERY_DATABASE_PASSWORD_FILE names a file with the database's password. A flag wins over its
variable, a variable over the file's \`chancery:\` section. The file's issuers are read anew when it
changes, and on SIGHUP.

Without --config, or with a file that has nothing but \`chancery:\`, development mode: a built-in
identity provider, on loopback only, that lets anyone on this machine be anyone.

The other commands, in a checkout as \`npm run chancery -- init --help\`:

  chancery init [FLAGS]             makes the data folder; a CA below an offline root: chancery init --help
  chancery sign-intermediate FLAGS  on the machine of that root: chancery sign-intermediate --help
  chancery explain-token FILE       what would become of an identity token, check by check
  chancery issued [FLAGS]           what was issued and refused: chancery issued --help
  chancery export WHAT --out FILE   entries, certificates, refusals, signed for: chancery export --help
  chancery fsck [FLAGS]             checks whole logs, hash by hash: chancery fsck --help
  chancery auditor [FLAGS]          checks an installation all day, from anywhere: chancery auditor --help
  chancery index rebuild|verify     what entries are found by: chancery index --help
  chancery migrate [--role ROLE]    tables of a PostgreSQL of your own: chancery migrate --help
  chancery accept-anchor --log LOG  for a log that lost its anchor: chancery accept-anchor --help
  chancery cut-unsigned --log LOG   for a log with damaged entries that nobody signed: chancery cut-unsigned --help
  chancery freeze --log LOG         a log takes no more entries, for ever: chancery freeze --help
  chancery shard --log rekor        a new tree and key for the v1 log: chancery shard --help
  chancery presets                  issuers that are known by name: chancery presets --help
  chancery --version
  chancery --help
`;

export interface Terminal {
  out(this: void, text: string): void;
  err(this: void, text: string): void;
}

/** The program. Exit codes: 0 done, 1 failed, 2 told something impossible. */
export async function run(argv: readonly string[], environment: Environment, terminal: Terminal): Promise<number> {
  try {
    return await obey(argv, environment, terminal);
  } catch (error) {
    return explain(error, terminal);
  }
}

type Command = (argv: readonly string[], environment: Environment, terminal: Terminal) => Promise<number>;

/** Each loaded only when it is asked for. */
const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["fsck", async (...told) => (await import("./fsck/command.ts")).fsck(...told)],
  ["auditor", async (...told) => (await import("./auditor-command.ts")).auditorCommand(...told)],
  ["index", async (...told) => (await import("./index-command.ts")).indexCommand(...told)],
  ["export", async (...told) => (await import("./export/command.ts")).exportCommand(...told)],
  [
    "migrate",
    async (argv, environment, { out }) => (await import("./migrate-command.ts")).migrateCommand(argv, environment, out),
  ],
  [
    "accept-anchor",
    async (argv, environment, { out }) =>
      (await import("./accept-anchor.ts")).acceptAnchorCommand(argv, environment, out),
  ],
  [
    "cut-unsigned",
    async (argv, environment, { out }) =>
      (await import("./cut-unsigned.ts")).cutUnsignedCommand(argv, environment, out),
  ],
  [
    "freeze",
    async (argv, environment, { out }) => (await import("./freeze-command.ts")).freezeCommand(argv, environment, out),
  ],
  [
    "shard",
    async (argv, environment, { out }) => (await import("./shard-command.ts")).shardCommand(argv, environment, out),
  ],
  [
    "explain-token",
    async (argv, environment, { out }) =>
      (await import("./explain-token.ts")).explainTokenCommand(argv, environment, out),
  ],
  ["issued", async (argv, environment, terminal) => (await import("./issued.ts")).issued(argv, environment, terminal)],
  ["init", async (argv, environment, { out }) => (await import("./authority/init.ts")).init(argv, environment, out)],
  [
    "sign-intermediate",
    async (argv, environment, { out }) =>
      (await import("./authority/sign-intermediate.ts")).signIntermediate(argv, environment, out),
  ],
  ["presets", async (argv, _environment, { out }) => (await import("./presets-command.ts")).presetsCommand(argv, out)],
]);

async function obey(argv: readonly string[], environment: Environment, terminal: Terminal): Promise<number> {
  const named = COMMANDS.get(argv[0] ?? "");
  if (named !== undefined) return named(argv.slice(1), environment, terminal);
  const { command, flags } = parseCommandLine(argv, environment);
  if (flags.help === true || flags.version === true) {
    terminal.out(flags.help === true ? USAGE : `${version()}\n`);
    return 0;
  }
  if (command === undefined) throw new Misconfigured("command", "none was given; see --help");
  if (command !== "serve") throw new Misconfigured(command, "there is no such command; see --help");
  // Only now: the services take half a second to load, and --help needs none of them.
  const { serve } = await import("./serve.ts");
  return serve(flags satisfies ServeFlags, environment);
}

function parseCommandLine(argv: readonly string[], environment: Environment) {
  try {
    const { values: flags, positionals } = parseArgs({ args: [...argv], options: SERVE_FLAGS, allowPositionals: true });
    const [command, extra] = positionals;
    if (extra !== undefined) throw new Misconfigured(extra, `is one word too many${npmHint(extra, environment)}`);
    return { command, flags };
  } catch (error) {
    if (error instanceof Misconfigured) throw error;
    // Its second sentence explains how to pass something that looks like a flag.
    throw new Misconfigured("command line", messageOf(error).split(". ", 1)[0] ?? "cannot be read");
  }
}

/** npm takes flags for its own unless they follow `--`, and leaves us their values. */
function npmHint(extra: string, environment: Environment): string {
  const script = environment["npm_lifecycle_event"];
  if (script === undefined) return "";
  const taken = Object.keys(SERVE_FLAGS).find(
    (flag) => environment[`npm_config_${flag.replaceAll("-", "_")}`] !== undefined,
  );
  const command = script === "start" ? "npm start" : `npm run ${script}`;
  return `; flags go after \`--\`: ${command} -- --${taken ?? "FLAG"} ${extra}`;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

/** What was planned for is one clear line; anything else is ours to explain, so its stack is shown. */
async function explain(error: unknown, terminal: Terminal): Promise<number> {
  const { redact } = await import("@chancery/service");
  const text = error instanceof Misconfigured ? error.message : unplanned(error);
  terminal.err(`chancery: ${redact(text)}\n`);
  return error instanceof Misconfigured ? 2 : 1;
}

/** Here the operator reads and not a client, so causes are named. */
function unplanned(error: unknown): string {
  if (error instanceof Error && !(error instanceof Fault)) return error.stack ?? error.message;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : `${messageOf(error)} (${messageOf(cause)})`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
