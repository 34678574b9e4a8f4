import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { encodeHex } from "@chancery/encoding";
import { Malformed, RefusedToSign } from "@chancery/fault";
import { acceptAnchor, type Anchor, type AnchoredHead, PostgresLogStore } from "@chancery/log";
import { parseFlags } from "./flags.ts";
import type { Environment } from "./settings.ts";
import { openStoppedLog } from "./stopped-log.ts";

const USAGE = `usage: chancery accept-anchor --log rekor|rekor-v2|ctlog [FLAGS]

For a log that refuses because its anchor is missing, damaged or too old: sets the anchor to what the database
holds, after proving that this extends all the anchor and the published checkpoint still say. Only you can know that
the database is the newest there ever was; if it is not, the log will contradict what it has signed, for ever.
Run \`chancery fsck\` first, and stop every chancery on the folder.

  --log rekor|rekor-v2|ctlog  or one shard, rekor-shard-2
  --data FOLDER        the installation                          CHANCERY_DATA, or ./.chancery
  --anchor FOLDER      its anchors, as \`serve\` is told           CHANCERY_ANCHOR, or DATA/anchor
  --database-url URL   its PostgreSQL, if not the embedded one   CHANCERY_DATABASE_URL
`;

const FLAGS = {
  log: { type: "string" },
  data: { type: "string" },
  anchor: { type: "string" },
  "database-url": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** `chancery accept-anchor`: resolves with the exit code. */
export async function acceptAnchorCommand(
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
  const directory = join(settings.anchor, name);
  await setDamagedAside(anchor, directory, out);
  const store = await PostgresLogStore.open(db);
  const { before, after } = await acceptAnchor({ name, store, anchor, signer });
  out(`${name}: anchor accepted in ${directory}\n  before  ${describe(before)}\n  after   ${describe(after)}\n`);
  return 0;
}

/**
 * A file that is damaged says nothing, but those before it do: only the damaged ones go aside, so that the
 * database must still extend the newest head that can be read.
 */
async function setDamagedAside(anchor: Anchor, folder: string, out: (text: string) => void): Promise<void> {
  for (;;) {
    try {
      await anchor.read();
      return;
    } catch (error) {
      if (!(error instanceof RefusedToSign && error.cause instanceof Malformed)) throw error;
    }
    const newest = (await readdir(folder))
      .filter((name) => /^\d{16}$/.test(name))
      .sort()
      .at(-1);
    if (newest === undefined) return;
    const aside = `damaged-${Date.now()}-${newest}`;
    await rename(join(folder, newest), join(folder, aside));
    out(`${join(folder, newest)} is damaged: renamed to ${aside}\n`);
  }
}

function describe(head: AnchoredHead | undefined): string {
  return head === undefined ? "none" : `size ${head.size}, root ${encodeHex(head.root)}`;
}
