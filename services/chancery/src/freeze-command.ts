import { Misconfigured } from "@chancery/fault";
import { PostgresLogStore } from "@chancery/log";
import { parseFlags } from "./flags.ts";
import { readInstallation } from "./installation-file.ts";
import { isRekorShard, requireLogName } from "./log-names.ts";
import { logNamesOf, rekorShardsOf } from "./log-origins.ts";
import { openInstallationDatabase } from "./installation-database.ts";
import { onOwnDatabase } from "./own-database.ts";
import { type Environment, resolveSettings } from "./settings.ts";

const USAGE = `usage: chancery freeze --log rekor|rekor-v2|ctlog --for-ever [FLAGS]

A frozen log takes no more entries, and nothing makes it take some again. What is in it is read and proven as before, and its
last checkpoint stays as it is: fetch it and keep it elsewhere. Works while chancery runs, and while it does not.

From its next start chancery sends no client to a frozen rekor or rekor-v2 any more (signing config), and all that was signed
goes on verifying. With ctlog frozen the CA issues nothing, unless it is given another CT log or none.

  --log rekor|rekor-v2|ctlog  or one shard, rekor-shard-2
  --for-ever           that you mean it
  --data FOLDER        the installation                          CHANCERY_DATA, or ./.chancery
  --database-url URL   its PostgreSQL, if not the embedded one   CHANCERY_DATABASE_URL
`;

const FLAGS = {
  log: { type: "string" },
  "for-ever": { type: "boolean" },
  data: { type: "string" },
  "database-url": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** `chancery freeze`: resolves with the exit code. */
export async function freezeCommand(
  argv: readonly string[],
  environment: Environment,
  out: (text: string) => void,
): Promise<number> {
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    out(USAGE);
    return 0;
  }
  const name = requireLogName(flags.log);
  if (flags["for-ever"] !== true)
    throw new Misconfigured("--for-ever", `say it: ${name} would never take entries again`);
  const told = { data: flags.data, "database-url": flags["database-url"] };
  const { data, databaseUrl } = await resolveSettings(told, environment);
  const installation = await readInstallation(data);
  const [active] = rekorShardsOf(installation).slice(-1);
  if (!logNamesOf(installation).includes(name))
    throw new Misconfigured("--log", `this installation has no log ${name}`);
  await using opened = new AsyncDisposableStack();
  const db = await openInstallationDatabase(data, databaseUrl, opened);
  const store = await onOwnDatabase(databaseUrl, PostgresLogStore.open(db));
  const log = await store.find(name);
  if (log === undefined) throw new Misconfigured("--data", `its database holds no log ${name}`);
  const before = await log.writer.tree();
  // Of the v1 log the newest shard is most likely meant; which one ends for ever is not for us to guess.
  const other = isRekorShard(name) && active?.name !== name ? `; what takes entries is ${active?.name}` : "";
  if (before.frozen) out(`${name}: was frozen already, with ${before.size} entries${other}\n`);
  else {
    await log.writer.freeze();
    out(`${name}: frozen for ever, with ${(await log.writer.tree()).size} entries\n`);
  }
  return 0;
}
