import { countedEntries } from "@chancery/encoding";
import { Misconfigured, RefusedToSign } from "@chancery/fault";
import { FileAnchor, freezeAgain, PostgresLogStore, TransparencyLog } from "@chancery/log";
import { parseFlags } from "./flags.ts";
import { openInstallationDatabase } from "./installation-database.ts";
import { readInstallation } from "./installation-file.ts";
import { openInstallation } from "./installation.ts";
import { refuseOutgrown } from "./left-anchor.ts";
import { isRekorShard, requireLogName } from "./log-names.ts";
import { onOwnDatabase } from "./own-database.ts";
import { type Environment, resolveSettings } from "./settings.ts";
import { treeHeadSigner } from "./tree-head-signers.ts";

const USAGE = `usage: chancery freeze --log rekor|rekor-v2|ctlog --for-ever [FLAGS]

A frozen log takes no more entries, and nothing makes it take some again. What is in it is read and proven as before, and its
last checkpoint stays as it is: fetch it and keep it elsewhere. Works while chancery runs, and while it does not.
Its anchor remembers it, so that a database of before that is put back is refused; where that is the newest there is and
lacks nothing else, the same command freezes it once more.

From its next start chancery sends no client to a frozen rekor or rekor-v2 any more (signing config), and all that was signed
goes on verifying. With ctlog frozen the CA issues nothing, unless it is given another CT log or none.

  --log rekor|rekor-v2|ctlog  or one shard, rekor-shard-2
  --for-ever           that you mean it
  --data FOLDER        the installation                          CHANCERY_DATA, or ./.chancery
  --anchor FOLDER      its anchors, as \`serve\` is told           CHANCERY_ANCHOR, or DATA/anchor
  --database-url URL   its PostgreSQL, if not the embedded one   CHANCERY_DATABASE_URL
`;

const FLAGS = {
  log: { type: "string" },
  "for-ever": { type: "boolean" },
  data: { type: "string" },
  anchor: { type: "string" },
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
  const told = { data: flags.data, anchor: flags.anchor, "database-url": flags["database-url"] };
  const settings = await resolveSettings(told, environment);
  // Before it is opened, which would make one where there is none.
  const { hostname } = await readInstallation(settings.data);
  const installation = await openInstallation(settings, hostname, new Date());
  // A name that is none of its logs leaves no folder behind.
  const signer = treeHeadSigner(name, installation);
  await using opened = new AsyncDisposableStack();
  const db = await openInstallationDatabase(settings.data, settings.databaseUrl, opened);
  const store = await onOwnDatabase(settings.databaseUrl, PostgresLogStore.open(db));
  if ((await store.find(name)) === undefined) {
    throw new Misconfigured("--data", `its database holds no log ${name}`);
  }
  const anchor = await FileAnchor.open(settings.anchor, name);
  await refuseOutgrown(settings, name, anchor);
  const again = await freezeAgain({ name, store, anchor, signer });
  const log = await TransparencyLog.open({ name, store, anchor, signer });
  opened.defer(() => log.close());
  const wasFrozen = log.state.frozen && !again;
  if (!log.state.frozen) await log.freeze();
  const reason = await log.readiness();
  if (reason !== undefined) throw new RefusedToSign(reason);
  const { size } = (await log.published()).head;
  // Of the v1 log the newest shard is most likely meant; which one ends for ever is not for us to guess.
  const active = installation.rekorShards.at(-1)?.name;
  const other = wasFrozen && isRekorShard(name) && active !== name ? `; what takes entries is ${active}` : "";
  const how = wasFrozen ? "was frozen already," : again ? "frozen once more," : "frozen for ever,";
  out(`${name}: ${how} with ${countedEntries(size)}${other}\n`);
  return 0;
}
