import { concatBytes, countedEntries } from "@chancery/encoding";
import { Fault, RefusedToSign, Unavailable } from "@chancery/fault";
import type { Database } from "@chancery/postgres";
import { consistencyProof, verifyConsistency } from "@chancery/tlog";
import { type Anchor, type AnchoredHead, cutsOf, isFrozen } from "./anchor.ts";
import { AnchoredSigner } from "./anchored-signer.ts";
import type { PublishedCheckpoint, TreeHeadSigner } from "./entry.ts";
import { noSuchLog } from "./no-such-log.ts";
import { type CutTable, PostgresCut } from "./postgres-cut.ts";
import { PostgresLogStore } from "./postgres-log-store.ts";
import { anchorKeyReason, keyReason, MOST_AHEAD, olderReason, thawedReason, treeReason } from "./standing.ts";
import { MissingRows, type StoredLog, type TreeState } from "./store.ts";
import { TileReads } from "./tile-reads.ts";
import { edgeOf, proveUnsigned } from "./unsigned-entries.ts";

export type { CutTable } from "./postgres-cut.ts";

export interface Cut {
  /** Up to here the log stays. */
  readonly anchored: AnchoredHead;
  readonly published: PublishedCheckpoint;
  /** Of the tree that is cut back. */
  readonly size: bigint;
  /** Why it cannot be signed. */
  readonly damage: string;
  readonly rows: ReadonlyMap<CutTable, number>;
}

export interface CutOptions {
  readonly name: string;
  /** As the tables' owner. */
  readonly db: Database;
  readonly anchor: Anchor;
  readonly signer: TreeHeadSigner;
  /** Takes each row that is cut, as a line; `undefined` after the last one, and what it has taken is then durable. Without it nothing is cut. */
  readonly keep?: (line: string | undefined) => Promise<void>;
}

/**
 * Cuts the database back to the anchored tree, where what follows is damaged and so can never be signed: a crash came
 * between commit and anchor, nobody was promised these entries, and the log would refuse for good.
 *
 * Nothing that was signed can be cut. Every signature came after its head was anchored; the published checkpoint, which
 * must be the log's own, says that the anchor is no old one; and what is whole is not cut, for it can be signed. The cut
 * is made under locks that keep every other session of the database out, and before it is committed the anchor says that
 * it was made: a process that stopped on its way to a signature finds another anchor than it knew, and has to start anew.
 */
export async function cutUnsigned({ name, db, anchor, signer, keep }: CutOptions): Promise<Cut> {
  const stored = await (await PostgresLogStore.open(db)).find(name);
  if (stored === undefined) throw noSuchLog(name);
  const refuse = (reason: string, cause?: unknown) => new RefusedToSign(`log ${name}: ${reason}`, { cause });
  const state = await stored.writer.tree();
  const anchored = await anchor.read();
  if (anchored === undefined) throw refuse("its anchor is missing: nothing says what was signed");
  const reason =
    keyReason(signer, state) ??
    anchorKeyReason(signer, anchored) ??
    olderReason(anchored, state) ??
    thawedReason(name, anchored, state);
  if (reason !== undefined) throw refuse(reason);
  const published = await signedCheckpoint(stored, new AnchoredSigner(signer, anchor), anchored, refuse);
  if (state.size - anchored.size > MOST_AHEAD) {
    throw refuse(
      `its anchor is older than its database by ${countedEntries(state.size - anchored.size)}: more than a crash leaves`,
    );
  }
  const edge = await edgeOf(stored.unsigned, anchored, anchored.size);
  const cut = await PostgresCut.open(db, name, anchored.size);
  const damage = await damageOf(stored, anchored, state, cut);
  if (damage === undefined) throw refuse("nothing is damaged: started, it signs what is not signed yet");
  const before = { anchored, published, size: state.size, damage };
  if (keep === undefined) return { ...before, rows: await cut.count() };
  const tree = { ...edge, root: anchored.root, time: await timeOf(stored, anchored) };
  const rows = await cut.run(state, { ...tree, edge: concatBytes(...tree.edge) }, keep, async () => {
    const after = { ...anchored, cuts: cutsOf(anchored) + 1 };
    if (await anchor.compareAndSwap(anchored, after)) return;
    throw refuse("its anchor moved meanwhile, so a process is running on it; stop it first");
  });
  return { ...before, rows };
}

/** The published checkpoint, which a signature proves and of which the anchor knows. */
async function signedCheckpoint(
  stored: StoredLog,
  signer: AnchoredSigner,
  anchored: AnchoredHead,
  refuse: (reason: string, cause?: unknown) => RefusedToSign,
): Promise<PublishedCheckpoint> {
  const published = await stored.reader.published();
  if (published === undefined)
    throw refuse("its published checkpoint is missing: nothing says that the anchor is the newest");
  const { head, time } = published;
  try {
    signer.verify(published);
  } catch (error) {
    throw refuse("what its database has as published is not what was signed", error);
  }
  if (head.size > anchored.size || (head.size === anchored.size && time > anchored.time)) {
    throw refuse(`its anchor is older than what was published: a tree of ${countedEntries(head.size)} was signed`);
  }
  const tiles = new TileReads(stored.reader);
  verifyConsistency(await consistencyProof(head.size, anchored.size, tiles.hashes(anchored.size)), head, anchored);
  return published;
}

/** Why what follows the anchored tree can never be signed. */
async function damageOf(
  stored: StoredLog,
  anchored: AnchoredHead,
  state: TreeState,
  cut: PostgresCut,
): Promise<string | undefined> {
  const tree = treeReason({ ...state, volatile: undefined });
  if (tree !== undefined) return tree;
  if (await cut.hasRowsBeyond(state.size)) return `rows are stored beyond its tree of ${countedEntries(state.size)}`;
  if (state.size === anchored.size) return undefined;
  if (isFrozen(anchored)) return `it was frozen for ever with ${countedEntries(anchored.size)}, and has ${state.size}`;
  try {
    await proveUnsigned(stored.unsigned, anchored, state);
    return undefined;
  } catch (error) {
    const passing = error instanceof Unavailable && !(error instanceof MissingRows);
    if (!(error instanceof Fault) || passing) throw error;
    return error.message;
  }
}

/** The tree's time is that of its newest entry. */
async function timeOf({ unsigned }: StoredLog, { size, time }: AnchoredHead): Promise<number> {
  if (size === 0n) return time;
  const [newest] = await unsigned.entries(size - 1n, 1);
  if (newest === undefined || newest.time > time) {
    throw new RefusedToSign(`entry ${size - 1n}, which was signed, is damaged: bring it back first (chancery fsck)`);
  }
  return newest.time;
}
