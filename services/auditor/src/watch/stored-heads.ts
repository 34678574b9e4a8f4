import { NotFound } from "@chancery/fault";
import type { Queryable } from "@chancery/postgres";
import { readAnchor } from "../database/anchor-file.ts";
import { findStoredCheckpoint, findStoredTree } from "../database/stored-log.ts";
import type { Report } from "../domain/alarm.ts";
import { awayFinding } from "./away.ts";
import { messageOf, Wrong } from "./wrong.ts";

/** Where a log is kept, for an auditor who may look there. */
export interface StoredPlace {
  readonly db: Queryable;
  /** The log's name in the database. */
  readonly name: string;
  /** The folder of its anchor. */
  readonly anchor?: string | undefined;
}

interface Head {
  readonly by: string;
  readonly size: bigint;
  readonly root: Uint8Array;
}

/** What was promised of a log: two checks that see it go back are one alarm. */
export function headsOf(kind: string): string {
  return `${kind} heads`;
}

/**
 * Whether the log's rows and its anchor both say so. Who can write to the database alone sets `frozen` there and keeps the log
 * from growing; a log that an older version froze has its anchor say so from its server's next start on. What cannot be
 * read says nothing.
 */
export async function isFrozenForEver({ db, name, anchor }: StoredPlace): Promise<boolean> {
  if (anchor === undefined) return false;
  try {
    const [tree, anchored] = [await findStoredTree(db, name), await readAnchor(anchor)];
    return tree.frozen && anchored?.frozen === true && anchored.size === tree.size;
  } catch {
    return false;
  }
}

/** Read in this order, each may only be ahead of the one before. Throws what is Wrong, resolves to their sizes. */
export async function readHeads({ db, name, anchor: directory }: StoredPlace, shown?: Head) {
  const published = await findStoredCheckpoint(db, name);
  let unread: unknown;
  const anchored =
    directory === undefined
      ? undefined
      : await readAnchor(directory).catch((error: unknown) => void (unread = error ?? "unread"));
  const tree = await storedTree(db, name);
  const heads = [
    { by: "the stored checkpoint", ...published },
    // Where its volume does not answer the other two are held against each other.
    ...(directory === undefined || unread !== undefined ? [] : [{ by: "the anchor", ...anchored }]),
    { by: "the database", ...tree },
  ];
  const wrong = (trouble: "head-order" | "fork", what: string) => new Wrong(trouble, what, undefined, headsOf(name));
  let before = shown;
  for (const { by, size, root } of heads) {
    if (size === undefined || root === undefined) throw wrong("head-order", `${by} of ${name} is gone`);
    if (before !== undefined && size < before.size) {
      throw wrong("head-order", `${by} of ${name} is at ${size}, ${before.by} at ${before.size}`);
    }
    if (before !== undefined && size === before.size && Buffer.compare(root, before.root) !== 0) {
      throw wrong("fork", `${by} of ${name} has another root at size ${size} than ${before.by}`);
    }
    before = { by, size, root };
  }
  if (unread !== undefined) throw unread;
  // No head is of another size or root by it.
  if (anchored?.frozen === true && tree?.frozen === false) {
    throw wrong(
      "head-order",
      `${name} was frozen for ever, as its anchor says, and its database says that it takes entries again`,
    );
  }
  return { anchored: anchored?.size, stored: before?.size ?? 0n };
}

async function storedTree(db: Queryable, name: string) {
  try {
    return await findStoredTree(db, name);
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

/** For a log that does not serve, and so is not watched yet: most often it refuses because of just this. */
export async function checkHeadsAlone(place: StoredPlace, report: Report): Promise<void> {
  const { name, anchor } = place;
  const check = `heads of ${name}`;
  try {
    // Of an installation that has not made its logs yet there is nothing.
    const isNew = anchor === undefined || (await readAnchor(anchor)) === undefined;
    if (isNew && (await storedTree(place.db, name)) === undefined) {
      return report.unknown(check, "there is no log yet");
    }
    const { anchored, stored } = await readHeads(place);
    report.passed(check, `anchor <= database holds at ${anchored ?? "-"}, ${stored}; what is served cannot be read`);
  } catch (error) {
    if (error instanceof Wrong) {
      const { trouble, message: what, subject } = error;
      await report.failed(check, { trouble, what, subject });
    } else {
      const couldNot = `the database or anchor of ${name} cannot be read (${messageOf(error)})`;
      await report.failed(check, awayFinding(couldNot, error, { beside: "database" }));
    }
  }
}
