import { RefusedToSign } from "@chancery/fault";
import { type Anchor, type AnchoredHead, isFrozen } from "./anchor.ts";
import { AnchoredSigner } from "./anchored-signer.ts";
import type { TreeHeadSigner } from "./entry.ts";
import { noSuchLog } from "./no-such-log.ts";
import { anchorKeyReason, keyReason, NEWER_DATABASE, olderReason, treeReason } from "./standing.ts";
import type { LogStore, StoredLog, TreeState } from "./store.ts";
import { edgeOf } from "./unsigned-entries.ts";

/**
 * Freezes the database of a log whose anchor says that it is frozen: it was put back to before that, and holds the last
 * tree all the same. Resolves with whether there was anything to do. The anchor does not move, and all that may be signed
 * by it is that last tree, once more.
 *
 * A process that knew nothing of it may have committed entries since, which nobody signed: frozen, they can be cut off.
 */
export async function freezeAgain(options: {
  readonly name: string;
  readonly store: LogStore;
  readonly anchor: Anchor;
  readonly signer: TreeHeadSigner;
}): Promise<boolean> {
  const { name, anchor, signer } = options;
  const stored = await options.store.find(name);
  if (stored === undefined) throw noSuchLog(name);
  const anchored = await anchor.read();
  const state = await stored.writer.tree();
  if (anchored === undefined || !isFrozen(anchored) || state.frozen) return false;
  const reason =
    keyReason(signer, state) ??
    anchorKeyReason(signer, anchored) ??
    treeReason(state) ??
    olderReason(anchored, state) ??
    (await otherReason(stored, anchored, state));
  if (reason !== undefined) throw new RefusedToSign(`log ${name}: ${reason}`);
  await publishLast(stored, new AnchoredSigner(signer, anchor), anchored, state);
  await stored.writer.freeze();
  return true;
}

/** Of a database that holds more than the log was frozen with. */
async function otherReason({ unsigned }: StoredLog, anchored: AnchoredHead, { size }: TreeState) {
  if (size === anchored.size) return undefined;
  try {
    await edgeOf(unsigned, anchored, size);
    return undefined;
  } catch (error) {
    if (error instanceof RefusedToSign) return `${error.message}; ${NEWER_DATABASE}`;
    throw error;
  }
}

/** A head that was renewed since the backup is not shown as it was before: those who saw it would see time go back. */
async function publishLast(
  { writer }: StoredLog,
  signer: AnchoredSigner,
  anchored: AnchoredHead,
  { published }: TreeState,
): Promise<void> {
  const { size, time } = anchored;
  if (published !== undefined && (published.size > size || published.time >= time)) return;
  const last = await signer.sign(anchored, { from: size, to: size, path: [] }, anchored);
  if (last === undefined) throw new RefusedToSign("its anchor moved meanwhile, so a process is running on it");
  // Freezing, which comes next, waits for the disk.
  await writer.publish(last);
}
