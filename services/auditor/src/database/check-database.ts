import { createPublicKey, type KeyObject } from "node:crypto";
import type { Queryable } from "@chancery/postgres";
import { type LogIdentity, openCheckpoint, type SignedHead } from "../domain/checkpoint.ts";
import { Difference, expectEqual, type Found, NOTHING, tell, unlessFound } from "../domain/difference.ts";
import { sha256 } from "../domain/merkle.ts";
import type { CleanLog, Progress } from "../domain/progress.ts";
import { readAhead } from "../domain/read-ahead.ts";
import type { StatedHead } from "../domain/tree-check.ts";
import type { LogKind } from "../public/served-log.ts";
import { type AnchoredHead, readAnchor } from "./anchor-file.ts";
import { EntryCheck, part } from "./entry-check.ts";
import { readNotes } from "./log-notes.ts";
import { checkSearchKeys, countUnindexed } from "./search-key-check.ts";
import {
  findStoredCheckpoint,
  findStoredTree,
  PAGE_ENTRIES,
  refuseStrays,
  type StoredCheckpoint,
  StoredLog,
  type StoredTree,
} from "./stored-log.ts";

export interface DatabaseCheck {
  readonly db: Queryable;
  /** The log's name in the database. */
  readonly name: string;
  /** One of them signs. */
  readonly key: KeyObject | readonly KeyObject[];
  /** How its checkpoints are signed. */
  readonly signs: LogIdentity["signs"];
  /** What it holds; undefined: nothing is known of what its leaves mean. */
  readonly kind?: LogKind | undefined;
  /** Undefined: what the database says. */
  readonly origin?: string | undefined;
  /** The folder with the anchor's files; undefined: there is none to be had. */
  readonly anchor?: string | undefined;
  /** A head that was proven before: the tree MUST extend it. */
  readonly proven?: { readonly size: bigint; readonly root: Uint8Array } | undefined;
  readonly progress?: Progress | undefined;
  /** Undefined: the first Difference is thrown. */
  readonly found?: Found;
}

const OLDER_DATABASE =
  "the database is older than what was signed: stop the log, leave the anchor as it is, and bring the newer database back";
const THAWED =
  "the log was frozen for ever, and its database is one of before: bring the newer one back, or, if this is the newest there is, freeze it once more (chancery freeze)";
const BEYOND =
  "nobody signed what is beyond the tree that the log was frozen with: it can be cut off (chancery cut-unsigned)";
const OLDER_ANCHOR =
  "the anchor is older than what was published: bring the newer one back, or, if this is another's folder, name the right one (CHANCERY_ANCHOR, --anchor)";
const NO_ANCHOR =
  "no anchor of this log lies in this folder: most likely another is meant (CHANCERY_ANCHOR, --anchor, as serve is told); if it is lost, see accept-anchor";

/** Pages under way. Three keep two connections of the server busy while the fourth is hashed. */
const PAGES_AHEAD = 4;

/**
 * Reads a whole log from its database and derives all of it anew from its entries. Throws the first Difference, or tells each
 * and goes on. The log may be in use: what was there at the start is checked, in the order published, anchor, database, of which each
 * may only be ahead of the one before.
 */
export async function checkDatabase(check: DatabaseCheck): Promise<CleanLog> {
  const { db, name, progress = () => {}, found } = check;
  const published = await findStoredCheckpoint(db, name);
  const { anchored, anchor, unread } = await lookAtAnchor(check);
  const tree = await findStoredTree(db, name);
  const log = new StoredLog(db, tree.id, check.kind);
  const heads = await statedHeads({ ...check, anchor }, { tree, published, anchored });
  const entries = new EntryCheck({ log, tree, heads, published, kind: check.kind, found });
  const pages = Math.ceil(Number(tree.size) / PAGE_ENTRIES);
  for await (const page of readAhead(pages, PAGES_AHEAD, (at) => log.page(at, tree.size))) {
    log.keepTiles(page.tiles);
    await entries.add(page.entries, progress);
  }
  await entries.finish(progress);
  await refuseStrays(log, found);
  const isSearched = check.kind !== undefined && check.kind !== "ctlog";
  const unindexed = isSearched ? await countUnindexed(log) : tree.size;
  const keyed = { from: unindexed, to: tree.size };
  await checkSearchKeys(log, keyed, part(progress, "search keys", tree.size), found);
  if (unread !== undefined) throw unread;
  const seen = { tree, signed: published?.time ?? 0n, first: entries.firstTime, anchorFrozen: anchored?.frozen };
  const notes = await readNotes(db, seen);
  if (isSearched && unindexed > 0n) {
    notes.push(`the first ${unindexed} entries are of before there was this search: chancery index rebuild`);
  }
  return { size: tree.size, root: tree.root, checked: covered(check, published), unchecked: beyond(check.kind), notes };
}

/** A volume that does not answer keeps nothing else from being held, where the check is to go on. */
async function lookAtAnchor({ anchor, found }: DatabaseCheck) {
  if (anchor === undefined) return {};
  try {
    return { anchor, anchored: await readAnchor(anchor) };
  } catch (error) {
    if (found === undefined) throw error;
    if (!(error instanceof Difference)) return { unread: error };
    found(error);
    return {};
  }
}

function covered({ kind, anchor }: DatabaseCheck, published: StoredCheckpoint | undefined): string[] {
  return [
    published === undefined ? "no checkpoint yet" : `checkpoint of size ${published.size}`,
    ...(anchor === undefined ? [] : ["anchor"]),
    "entries",
    "tiles",
    "tree",
    "identities",
    "leaf hashes",
    kind === "ctlog" ? "times" : "order of times",
    ...(kind === undefined || kind === "ctlog" ? [] : ["that each entry has search keys"]),
  ];
}

/** Under no hash, and not read: what says otherwise is found elsewhere. */
function beyond(kind: LogKind | undefined): string[] {
  if (kind === "ctlog") return ["chains and precertificates beside leaves (the auditor)"];
  const keys = "search keys beyond that none is outside the tree";
  if (kind === undefined) return ["what stands beside leaves", keys];
  return [
    "whether search keys are those of their entries (chancery index verify)",
    "times and attestations (the auditor)",
  ];
}

interface Stated {
  readonly tree: StoredTree;
  readonly published: StoredCheckpoint | undefined;
  readonly anchored: AnchoredHead | undefined;
}

/** published <= anchor <= database, under one key and origin. */
async function statedHeads(check: DatabaseCheck, { tree, published, anchored }: Stated): Promise<StatedHead[]> {
  const keys = [check.key].flat().map(publicKey);
  const key = keys.find((one) => Buffer.compare(idOf(one), tree.key_id) === 0);
  const ids = (key === undefined ? keys : [key]).map((one) => idOf(one).toHex());
  const keyId = ids.join(" or ");
  const origin = check.origin ?? tree.origin;
  const { found } = check;
  const must = (work: () => void) => unlessFound(found, work);
  await must(() => expectEqual({ kind: "log", field: "key" }, keyId, tree.key_id));
  await must(() => expectEqual({ kind: "log", field: "origin" }, origin, tree.origin));
  const heads: StatedHead[] = [{ by: "tree", size: tree.size, root: tree.root }];
  if (check.anchor !== undefined && anchored === undefined) {
    tell(found, [new Difference({ kind: "anchor", field: "file" }, "a tree head", NOTHING, NO_ANCHOR)]);
  } else if (anchored !== undefined) {
    await must(() => expectEqual({ kind: "anchor", field: "origin" }, origin, anchored.origin));
    await must(() => expectEqual({ kind: "anchor", field: "key" }, keyId, anchored.keyId));
    const limit = { by: "the database", size: tree.size, meaning: OLDER_DATABASE };
    await must(() => expectAtMost("anchor", anchored.size, limit));
    if (anchored.frozen) await must(() => expectFrozen(tree, anchored));
    heads.unshift({ by: "anchor", ...anchored });
  }
  if (published === undefined) {
    // A new log that ended before its first checkpoint was on disk; any other has had one.
    if (tree.size > 0n) tell(found, [new Difference({ kind: "checkpoint", field: "row" }, "a checkpoint", NOTHING)]);
    return heads;
  }
  const signer = check.signs === "text" ? (origin.split(" - ", 1)[0] ?? origin) : origin;
  const head = await unlessFound(found, () =>
    openCheckpoint(published.note, { origin, signer, signs: check.signs, keys }),
  );
  if (head !== undefined) await judgePublished(head, { tree, published, anchored }, found);
  const before = check.proven;
  if (before !== undefined) {
    const limit = { by: "the database", size: tree.size, meaning: OLDER_DATABASE };
    await must(() => expectAtMost("checkpoint", before.size, limit));
    heads.unshift({ by: "checkpoint", size: before.size, root: before.root });
  }
  return head === undefined ? heads : [{ by: "checkpoint", size: head.size, root: head.root }, ...heads];
}

async function judgePublished(
  head: SignedHead,
  { tree, published, anchored }: Stated & { readonly published: StoredCheckpoint },
  found: Found,
): Promise<void> {
  const must = (work: () => void) => unlessFound(found, work);
  await must(() => expectEqual({ kind: "checkpoint", field: "size" }, head.size, published.size));
  await must(() => expectEqual({ kind: "checkpoint", field: "root" }, head.root, published.root));
  const { time } = head;
  if (time !== undefined) {
    await must(() => expectEqual({ kind: "checkpoint", field: "time" }, time, published.time));
  }
  const limit =
    anchored === undefined
      ? { by: "the database", size: tree.size }
      : { by: "the anchor", size: anchored.size, meaning: OLDER_ANCHOR };
  await must(() => expectAtMost("checkpoint", head.size, limit));
  // It was in the anchor before it was published.
  if (anchored === undefined || published.time <= anchored.time) return;
  const latest = `at most ${anchored.time}, as the anchor says`;
  const place = { kind: "checkpoint", field: "time" } as const;
  tell(found, [new Difference(place, latest, String(published.time), OLDER_ANCHOR)]);
}

/** Under no hash: with the same tree nothing else tells that the database was put back to before it was frozen. */
function expectFrozen(tree: StoredTree, { size }: AnchoredHead): void {
  if (tree.size > size) {
    throw new Difference({ kind: "tree", field: "size" }, `${size}, as it was frozen with`, String(tree.size), BEYOND);
  }
  if (!tree.frozen)
    throw new Difference({ kind: "tree", field: "frozen" }, "true, as the anchor says", "false", THAWED);
}

function idOf(key: KeyObject): Uint8Array {
  return sha256(key.export({ type: "spki", format: "der" }));
}

/** The installation's own keys are private ones. */
function publicKey(key: KeyObject): KeyObject {
  return key.type === "private" ? createPublicKey(key) : key;
}

interface Limit {
  readonly by: string;
  readonly size: bigint;
  /** Of a size beyond it. */
  readonly meaning?: string;
}

function expectAtMost(kind: "anchor" | "checkpoint", size: bigint, limit: Limit): void {
  if (size <= limit.size) return;
  const most = `at most ${limit.size}, as ${limit.by} says`;
  throw new Difference({ kind, field: "size" }, most, String(size), limit.meaning);
}
