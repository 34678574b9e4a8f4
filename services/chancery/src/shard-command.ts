import { countedEntries } from "@chancery/encoding";
import { Misconfigured, RefusedToSign } from "@chancery/fault";
import { FileAnchor, PostgresLogStore, type PublishedCheckpoint, TransparencyLog } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { parseFlags } from "./flags.ts";
import { openInstallationDatabase } from "./installation-database.ts";
import { readInstallation } from "./installation-file.ts";
import { type Installation, newTreeId, openInstallation } from "./installation.ts";
import { refuseOutgrown } from "./left-anchor.ts";
import { onOwnDatabase } from "./own-database.ts";
import { addRekorShard, type RekorShard, type ShardStep } from "./rekor-shards.ts";
import { type Environment, resolveSettings, type Settings } from "./settings.ts";
import { treeHeadSigner } from "./tree-head-signers.ts";

const USAGE = `usage: chancery shard --log rekor [--for-ever] [FLAGS]

Gives the log of Rekor's v1 API a new shard: a tree with a key and an ID of its own, in which indexes go on where the shard
before it ended. For a log that has grown too large, or whose key must change. The shard before it has to be frozen:
--for-ever freezes it, as \`chancery freeze\` does. It is read and proven as before, for ever.

Works while chancery runs, and while it does not. From then until chancery is started anew the v1 log takes no entries;
that start makes the new shard. Interrupted, the same command goes on. Back up keys/ and installation.json after it.

Clients need nothing but the new trust material: cosign 3 fetches it from TUF by itself, cosign 2 within a week, or at once by
\`cosign initialize\`; who was given a trusted_root.json or rekor.pub needs the new one. What was signed before goes on verifying.

  --log rekor          no other log has shards
  --for-ever           freeze the shard that takes entries now: nothing makes it take some again
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

/** What a crash may come between. */
export type RollStep = "frozen" | ShardStep;

/** `chancery shard`: resolves with the exit code. */
export async function shardCommand(
  argv: readonly string[],
  environment: Environment,
  out: (text: string) => void,
  step: (done: RollStep) => Promise<void> = async () => {},
): Promise<number> {
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    out(USAGE);
    return 0;
  }
  if (flags.log !== "rekor") throw new Misconfigured("--log", "say rekor: no other log has shards");
  const told = { data: flags.data, anchor: flags.anchor, "database-url": flags["database-url"] };
  const settings = await resolveSettings(told, environment);
  // Before it is opened, which would make one where there is none.
  const { hostname } = await readInstallation(settings.data);
  const installation = await openInstallation(settings, hostname, new Date());
  const { rekorShards, awaitsLogs } = installation;
  const [active] = rekorShards.slice(-1) as [RekorShard];
  if (awaitsLogs.includes(active.name)) {
    if (rekorShards.length === 1) throw new Misconfigured("--data", "its logs are not made yet: start chancery once");
    out(`${active.name}: is awaited already\n${NEXT}`);
    return 0;
  }
  await using opened = new AsyncDisposableStack();
  const db = await openInstallationDatabase(settings.data, settings.databaseUrl, opened);
  const last = await freezeActive({ settings, installation, active, db }, flags["for-ever"] === true, opened, out);
  await step("frozen");
  const { name, index, treeId } = await follow(settings.data, rekorShards, last, step);
  out(`${name}: tree ${treeId}, whose first entry has the index ${index}\n${NEXT}`);
  return 0;
}

const NEXT = `Now start chancery anew: that makes the new shard, and the v1 log takes entries again. Clients need the new trust material from
TUF: cosign 3 fetches it by itself, cosign 2 by \`cosign initialize\`. Back up keys/ and installation.json.
`;

interface Active {
  readonly settings: Settings;
  readonly installation: Installation;
  readonly active: RekorShard;
  readonly db: Database;
}

/** Its last checkpoint, which covers all that was ever committed to it: signed under anchor and key like any other. */
async function freezeActive(
  { settings, installation, active, db }: Active,
  forEver: boolean,
  opened: AsyncDisposableStack,
  out: (text: string) => void,
): Promise<PublishedCheckpoint> {
  const { name } = active;
  const store = await onOwnDatabase(settings.databaseUrl, PostgresLogStore.open(db));
  const anchor = await FileAnchor.open(settings.anchor, name);
  await refuseOutgrown(settings, name, anchor);
  const log = await TransparencyLog.open({ name, store, anchor, signer: treeHeadSigner(name, installation) });
  opened.defer(() => log.close());
  const expectWhole = () => {
    const { refusal } = log.state;
    if (refusal !== undefined) throw new RefusedToSign(refusal);
  };
  expectWhole();
  const wasFrozen = log.state.frozen;
  if (!wasFrozen) {
    await expectWorthIt(log, name, forEver);
    await log.freeze();
  }
  const reason = await log.readiness();
  expectWhole();
  if (reason !== undefined) throw new RefusedToSign(reason);
  const last = await log.published();
  out(`${name}: ${wasFrozen ? "was frozen already" : "frozen for ever"}, with ${countedEntries(last.head.size)}\n`);
  return last;
}

/** The same command once too often, after the start that made the new shard, must not end that one too. */
async function expectWorthIt(log: TransparencyLog, name: string, forEver: boolean): Promise<void> {
  if (!forEver) {
    throw new Misconfigured("--for-ever", `say it: ${name} takes entries, and would never take some again`);
  }
  if ((await log.published()).head.size > 0n) return;
  throw new Misconfigured(
    "--log",
    `${name} takes entries and holds none: it needs no other shard after it (if its key must change, chancery freeze it first)`,
  );
}

async function follow(
  data: string,
  shards: readonly RekorShard[],
  { head, time }: PublishedCheckpoint,
  step: (done: ShardStep) => Promise<void>,
) {
  const [active] = shards.slice(-1) as [RekorShard];
  const now = Date.now();
  const index = active.first + head.size;
  const treeId = newTreeId();
  const name = await addRekorShard(
    data,
    {
      after: shards.length,
      treeId,
      first: index,
      // Clients read both ends in whole seconds. Nothing was logged in the one after its last checkpoint.
      since: new Date(Math.floor(now / 1000) * 1000),
      previousUntil: new Date(Math.ceil(Math.max(now, time) / 1000) * 1000),
    },
    step,
  );
  return { name, index, treeId };
}
