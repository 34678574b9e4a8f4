import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type AnchoredHead, Difference, readAnchor } from "@chancery/auditor";
import { equalBytes } from "@chancery/encoding";
import { Misconfigured, Unavailable, Unverified } from "@chancery/fault";
import type { LogReader, PublishedCheckpoint } from "@chancery/log";
import type { TreeHead } from "@chancery/tlog";
import { publicKeyIn, verifyExportedHead } from "./export/log-keys.ts";
import type { ReadInstallation } from "./installation-file.ts";
import type { LogName } from "./log-names.ts";
import { logOrigin } from "./log-origins.ts";

/** What a published tree is held against. */
export interface OutsideDatabase {
  readonly data: string;
  /** The folder of all anchors. */
  readonly anchor: string;
  /** Somebody said where the anchors are, so that one that is not there is an error even for a database alone. */
  readonly isAnchorTold: boolean;
  /** Undefined: a database alone, whose keys nobody knows. */
  readonly installation: ReadInstallation | undefined;
  readonly patienceMs?: number | undefined;
}

export interface PublishedHead extends TreeHead {
  /** Neither key nor anchor says so. */
  readonly isOwnWord: boolean;
}

/** What is anchored is published some milliseconds later; a busy database may take its time. */
const PATIENCE_MS = 5_000;
const AGAIN_MS = 100;

const WRONG = '(README, "When something is wrong")';

/**
 * The tree that a log has published, as its own key signed it: who changes an entry in the database writes there what root he
 * likes. And no older one than its anchor knows: who hides an entry of the end puts back a checkpoint that the key signed, too.
 */
export async function publishedHead(
  reader: Pick<LogReader, "published">,
  log: LogName,
  outside: OutsideDatabase,
): Promise<PublishedHead> {
  // Before the other: what is published after it may only be ahead of it.
  const anchored = await anchorOf(log, outside);
  const signed = await signerOf(log, outside);
  const until = performance.now() + (outside.patienceMs ?? PATIENCE_MS);
  for (;;) {
    const published = await reader.published();
    const head = published && signed(published);
    if (head !== undefined && head.size >= (anchored?.size ?? 0n)) {
      const isAnchored = isSameTree(log, head, anchored);
      return { ...head, isOwnWord: outside.installation === undefined && !isAnchored };
    }
    if (performance.now() > until) throw tooOld(log, head, anchored, outside);
    await delay(AGAIN_MS);
  }
}

async function anchorOf(
  log: LogName,
  { anchor, isAnchorTold, installation }: OutsideDatabase,
): Promise<AnchoredHead | undefined> {
  const folder = join(anchor, log);
  const anchored = await readAnchor(folder).catch((error: unknown) => {
    if (error instanceof Difference) {
      throw new Misconfigured("--anchor", `${folder}: ${error.meaning ?? error.message}`, { cause: error });
    }
    if (!(error instanceof Unavailable)) throw error;
    throw new Misconfigured("--anchor", error.message, { cause: error });
  });
  if (anchored !== undefined || (installation === undefined && !isAnchorTold)) return anchored;
  throw new Misconfigured(
    "--anchor",
    `${folder} holds no anchor of ${log}, and without it an older tree that was put back could not be told: say where its anchors are ${WRONG}`,
  );
}

async function signerOf(
  log: LogName,
  { data, installation }: OutsideDatabase,
): Promise<(published: PublishedCheckpoint) => TreeHead> {
  if (installation === undefined) return ({ head }) => head;
  const key = await publicKeyIn(data, log);
  return ({ note }) => {
    try {
      const checkpoint = new TextDecoder().decode(note);
      return verifyExportedHead({ log, origin: logOrigin(installation, log), checkpoint }, key);
    } catch (cause) {
      if (!(cause instanceof Unverified)) throw cause;
      const what = `what stands in log.published of ${log} is not signed by the key in it`;
      throw new Misconfigured(
        "--data",
        `${what}: another installation's database is meant, or that row was changed ${WRONG}`,
        { cause },
      );
    }
  };
}

/** Throws where one of the two must be another log's, or the log was forked. */
function isSameTree(log: LogName, head: TreeHead, anchored: AnchoredHead | undefined): boolean {
  if (anchored?.size !== head.size) return false;
  if (equalBytes(anchored.root, head.root)) return true;
  throw new Misconfigured(
    "--anchor",
    `what stands in log.published of ${log} has another root at size ${head.size} than its anchor: they are of different logs, or that row was changed ${WRONG}`,
  );
}

function tooOld(
  log: LogName,
  head: TreeHead | undefined,
  anchored: AnchoredHead | undefined,
  { anchor }: OutsideDatabase,
): Misconfigured {
  const stands =
    head === undefined ? `log.published has no row of ${log}` : `log.published has ${log} at size ${head.size}`;
  const knows = anchored === undefined ? "" : `, and its anchor in ${join(anchor, log)} knows of size ${anchored.size}`;
  return new Misconfigured(
    "log.published",
    `${stands}${knows}: nothing was verified, since entries would be left out. A crash of PostgreSQL may take the newest row back: start chancery, which publishes it again, and run this again. If it stays so, that row was changed or an older database was put back ${WRONG}`,
  );
}
