import { createPublicKey, type KeyObject } from "node:crypto";
import type { Queryable } from "@chancery/postgres";
import { type LogIdentity, openCheckpoint } from "../domain/checkpoint.ts";
import { Difference, expectEqual, NOTHING } from "../domain/difference.ts";
import { HASH_BYTES, hashLeaf, sha256 } from "../domain/merkle.ts";
import type { CleanLog, Progress } from "../domain/progress.ts";
import { readAhead } from "../domain/read-ahead.ts";
import { type StatedHead, TreeCheck } from "../domain/tree-check.ts";
import { type AnchoredHead, readAnchor } from "./anchor-file.ts";
import type { LogKind } from "../public/served-log.ts";
import { readNotes } from "./log-notes.ts";
import { LookupCheck } from "./lookup-check.ts";
import { differenceFromLeaf, EARLIEST } from "./own-bytes.ts";
import { checkSearchKeys, countUnindexed } from "./search-key-check.ts";
import {
  findStoredCheckpoint,
  findStoredTree,
  PAGE_ENTRIES,
  refuseStrays,
  type StoredCheckpoint,
  type StoredEntry,
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
}

const OLDER_DATABASE =
  "the database is older than what was signed: stop the log, leave the anchor as it is, and bring the newer database back";
const OLDER_ANCHOR =
  "the anchor is older than what was published: bring the newer one back, or, if this is another's folder, name the right one (CHANCERY_ANCHOR, --anchor)";
const NO_ANCHOR =
  "no anchor of this log lies in this folder: most likely another is meant (CHANCERY_ANCHOR, --anchor, as serve is told); if it is lost, see accept-anchor";

/** Pages under way. Three keep two connections of the server busy while the fourth is hashed. */
const PAGES_AHEAD = 4;

/**
 * Reads a whole log from its database and derives all of it anew from its entries. Throws the first Difference. The log
 * may be in use: what was there at the start is checked, in the order published, anchor, database, of which each
 * may only be ahead of the one before.
 */
export async function checkDatabase(check: DatabaseCheck): Promise<CleanLog> {
  const { db, name, progress = () => {} } = check;
  const published = await findStoredCheckpoint(db, name);
  const anchored = check.anchor === undefined ? undefined : await readAnchor(check.anchor);
  const tree = await findStoredTree(db, name);
  const log = new StoredLog(db, tree.id, check.kind);
  const heads = statedHeads(check, { tree, published, anchored });
  const entries = new EntryCheck({ log, tree, heads, published, kind: check.kind });
  const pages = Math.ceil(Number(tree.size) / PAGE_ENTRIES);
  for await (const page of readAhead(pages, PAGES_AHEAD, (at) => log.page(at, tree.size))) {
    log.keepTiles(page.tiles);
    await entries.add(page.entries, progress);
  }
  await entries.finish(progress);
  await refuseStrays(log);
  const isSearched = check.kind !== undefined && check.kind !== "ctlog";
  const unindexed = isSearched ? await countUnindexed(log) : tree.size;
  const keyed = { from: unindexed, to: tree.size };
  await checkSearchKeys(log, keyed, part(progress, "search keys", tree.size));
  const notes = await readNotes(db, { tree, signed: published?.time ?? 0n, first: entries.firstTime });
  if (isSearched && unindexed > 0n) {
    notes.push(`the first ${unindexed} entries are of before there was this search: chancery index rebuild`);
  }
  return { size: tree.size, root: tree.root, checked: covered(check, published), unchecked: beyond(check.kind), notes };
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
function statedHeads(check: DatabaseCheck, { tree, published, anchored }: Stated): StatedHead[] {
  const keys = [check.key].flat().map(publicKey);
  const key = keys.find((one) => Buffer.compare(idOf(one), tree.key_id) === 0);
  const keyId =
    key === undefined
      ? keys
          .map(idOf)
          .map((id) => id.toHex())
          .join(" or ")
      : idOf(key);
  expectEqual({ kind: "log", field: "key" }, keyId, tree.key_id);
  const origin = check.origin ?? tree.origin;
  expectEqual({ kind: "log", field: "origin" }, origin, tree.origin);
  const heads: StatedHead[] = [{ by: "tree", size: tree.size, root: tree.root }];
  if (check.anchor !== undefined) {
    if (anchored === undefined)
      throw new Difference({ kind: "anchor", field: "file" }, "a tree head", NOTHING, NO_ANCHOR);
    expectEqual({ kind: "anchor", field: "origin" }, origin, anchored.origin);
    expectEqual({ kind: "anchor", field: "key" }, keyId, anchored.keyId);
    expectAtMost("anchor", anchored.size, { by: "the database", size: tree.size, meaning: OLDER_DATABASE });
    heads.unshift({ by: "anchor", ...anchored });
  }
  if (published === undefined) {
    // A new log that ended before its first checkpoint was on disk; any other has had one.
    if (tree.size > 0n) throw new Difference({ kind: "checkpoint", field: "row" }, "a checkpoint", NOTHING);
    return heads;
  }
  const signer = check.signs === "text" ? (origin.split(" - ", 1)[0] ?? origin) : origin;
  const head = openCheckpoint(published.note, { origin, signer, signs: check.signs, keys });
  expectEqual({ kind: "checkpoint", field: "size" }, head.size, published.size);
  expectEqual({ kind: "checkpoint", field: "root" }, head.root, published.root);
  if (head.time !== undefined) expectEqual({ kind: "checkpoint", field: "time" }, head.time, published.time);
  expectAtMost(
    "checkpoint",
    head.size,
    anchored === undefined
      ? { by: "the database", size: tree.size }
      : { by: "the anchor", size: anchored.size, meaning: OLDER_ANCHOR },
  );
  // It was in the anchor before it was published.
  if (anchored !== undefined && published.time > anchored.time) {
    const latest = `at most ${anchored.time}, as the anchor says`;
    throw new Difference({ kind: "checkpoint", field: "time" }, latest, String(published.time), OLDER_ANCHOR);
  }
  const before = check.proven;
  if (before !== undefined) {
    expectAtMost("checkpoint", before.size, { by: "the database", size: tree.size, meaning: OLDER_DATABASE });
    heads.unshift({ by: "checkpoint", size: before.size, root: before.root });
  }
  return [{ by: "checkpoint", size: head.size, root: head.root }, ...heads];
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

interface EntryCheckParts {
  readonly log: StoredLog;
  readonly tree: StoredTree;
  readonly heads: readonly StatedHead[];
  readonly published: StoredCheckpoint | undefined;
  readonly kind: LogKind | undefined;
}

/** Everything that is derived from the entries, in their order. */
class EntryCheck {
  readonly #tree: StoredTree;
  readonly #published: StoredCheckpoint | undefined;
  readonly #merkle: TreeCheck;
  readonly #identities: LookupCheck;
  readonly #leafHashes: LookupCheck;
  readonly #kind: LogKind | undefined;
  #next = 0n;
  #time = EARLIEST;
  /** Of those below the checkpoint. */
  #youngest = 0n;
  #besideLeaf: Difference | undefined;
  firstTime: bigint | undefined;

  constructor({ log, tree, heads, published, kind }: EntryCheckParts) {
    this.#tree = tree;
    this.#published = published;
    this.#kind = kind;
    this.#merkle = new TreeCheck(tree.size, heads, log);
    this.#identities = new LookupCheck(log, "identity", tree.size);
    this.#leafHashes = new LookupCheck(log, "leaf hash", tree.size);
  }

  async add(entries: readonly StoredEntry[], progress: Progress): Promise<void> {
    const first = this.#next;
    const hashes = new Uint8Array(entries.length * HASH_BYTES);
    for (const [at, entry] of entries.entries()) hashes.set(this.#take(entry), at * HASH_BYTES);
    const left = this.#tree.size - first;
    if (BigInt(entries.length) < left && entries.length < PAGE_ENTRIES) throw missing(this.#next);
    await this.#merkle.add(hashes);
    for (const [at, entry] of entries.entries()) {
      const { identity } = entry;
      const hash = hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
      if (this.#kind !== undefined) this.#besideLeaf ??= differenceFromLeaf(this.#kind, entry, hash);
      if (this.#identities.isFull) await this.#checkLookups(progress);
      this.#identities.add(identity ?? hash);
      this.#leafHashes.add(identity === undefined ? undefined : hash);
    }
    progress("entries", this.#next, this.#tree.size);
  }

  async finish(progress: Progress): Promise<void> {
    const edge = await this.#merkle.finish();
    expectEqual({ kind: "tree", field: "edge" }, Buffer.concat(edge), this.#tree.edge);
    // After the tree, which says of a changed leaf that it is the leaf.
    if (this.#besideLeaf !== undefined) throw this.#besideLeaf;
    // All of a batch has one time, and so has the tree that it made.
    if (this.#next > 0n) expectEqual({ kind: "tree", field: "time" }, this.#time, this.#tree.time);
    this.#expectNoOlder();
    await this.#checkLookups(progress);
  }

  /** Its leaf hash, once its place and time are right. */
  #take({ index, time, leaf }: StoredEntry): Uint8Array {
    if (index !== this.#next) throw missing(this.#next);
    if (time < this.#time) {
      throw new Difference({ kind: "entry", index, field: "time" }, `${this.#time} or later`, String(time));
    }
    this.#time = time;
    this.firstTime ??= time;
    this.#next++;
    if (this.#published?.size === this.#next) this.#youngest = time;
    return hashLeaf(leaf);
  }

  /** A head is never older than its youngest entry. */
  #expectNoOlder(): void {
    const { time } = this.#published ?? { time: this.#youngest };
    if (time >= this.#youngest) return;
    throw new Difference({ kind: "checkpoint", field: "time" }, `${this.#youngest} or later`, String(time));
  }

  async #checkLookups(progress: Progress): Promise<void> {
    await this.#identities.finishWindow(part(progress, "identities", this.#tree.size));
    await this.#leafHashes.finishWindow(part(progress, "leaf hashes", this.#tree.size));
  }
}

function missing(index: bigint): Difference {
  return new Difference({ kind: "entry", index, field: "leaf" }, "an entry", NOTHING);
}

function part(progress: Progress, step: string, size: bigint): (done: number) => void {
  return (done) => progress(step, BigInt(Math.floor(done * Number(size))), size);
}
