import { type FileHandle, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { countedEntries } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { type Cut, cutUnsigned } from "@chancery/log";
import { parseFlags } from "./flags.ts";
import { refuseOutgrown } from "./left-anchor.ts";
import { onOwnDatabase } from "./own-database.ts";
import type { Environment } from "./settings.ts";
import { openStoppedLog } from "./stopped-log.ts";

const USAGE = `usage: chancery cut-unsigned --log rekor|rekor-v2|ctlog [--keep FILE] [FLAGS]

For a log that refuses because entries that were committed and never signed are damaged: a crash came between, and
nobody was promised them. Cuts the database back to the tree that the anchor knows, and keeps the rows in FILE.
Without --keep it tells what it would cut. What anchor or published checkpoint say was signed is never cut, nor is what
is whole. Bring the rows back instead if a replica or a backup has them. The anchor must be the newest there was: where
it was put back to an older state, do not use this.

Run it as the tables' owner, keep a copy of database and anchor first, stop every chancery on them, and run
\`chancery fsck\` after it.

  --log rekor|rekor-v2|ctlog  or one shard, rekor-shard-2
  --keep FILE          a new file, which takes the rows: JSON, a line each
  --data FOLDER        the installation                          CHANCERY_DATA, or ./.chancery
  --anchor FOLDER      its anchors, as \`serve\` is told           CHANCERY_ANCHOR, or DATA/anchor
  --database-url URL   its PostgreSQL, if not the embedded one   CHANCERY_DATABASE_URL
`;

const FLAGS = {
  log: { type: "string" },
  keep: { type: "string" },
  data: { type: "string" },
  anchor: { type: "string" },
  "database-url": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** `chancery cut-unsigned`: resolves with the exit code. */
export async function cutUnsignedCommand(
  argv: readonly string[],
  environment: Environment,
  out: (text: string) => void,
): Promise<number> {
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    out(USAGE);
    return 0;
  }
  await using opened = new AsyncDisposableStack();
  const { name, settings, db, anchor, signer } = await openStoppedLog(flags, environment, opened);
  await refuseOutgrown(settings, name, anchor);
  const options = { name, db, anchor, signer };
  const planned = await onOwnDatabase(settings.databaseUrl, cutUnsigned(options));
  out(describe(name, planned, join(settings.anchor, name)));
  if (flags.keep === undefined) {
    out("nothing is cut without --keep FILE\n");
    return 0;
  }
  const keep = await keepIn(resolve(flags.keep), opened);
  await onOwnDatabase(settings.databaseUrl, cutUnsigned({ ...options, keep }));
  out(
    `${name}: cut back to ${countedEntries(planned.anchored.size)}; the rows are in ${flags.keep}; now run chancery fsck\n`,
  );
  return 0;
}

/** Takes lines into a new file; on disk when `undefined` has followed the last one. */
async function keepIn(
  path: string,
  opened: AsyncDisposableStack,
): Promise<(line: string | undefined) => Promise<void>> {
  const file = opened.use(await newFile(path));
  return async (line) => {
    if (line !== undefined) {
      await file.writeFile(line);
      return;
    }
    await file.sync();
    await using directory = await open(dirname(path), "r");
    await directory.sync();
  };
}

async function newFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx", 0o600);
  } catch (cause) {
    throw new Misconfigured("--keep", `${path} cannot be made (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}

function describe(name: string, { anchored, published, size, damage, rows }: Cut, place: string): string {
  return [
    `${name}: ${damage}`,
    `  signed     ${countedEntries(anchored.size)}, says the anchor in ${place}; ${published.head.size} are published`,
    `  to be cut  ${size > anchored.size ? `entries ${anchored.size} to ${size - 1n}, which nobody signed` : "what is stored beyond them"}`,
    ...rows.entries().map(([table, count]) => `             ${count} of ${table}`),
    "",
  ].join("\n");
}
