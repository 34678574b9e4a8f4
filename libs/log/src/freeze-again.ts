import { RefusedToSign } from "@chancery/fault";
import { type Anchor, isFrozen } from "./anchor.ts";
import { noSuchLog } from "./no-such-log.ts";
import { anchorKeyReason, keyReason, olderReason, treeReason } from "./standing.ts";
import type { LogKey, LogStore } from "./store.ts";

/**
 * Freezes the database of a log whose anchor says that it is frozen: it was put back to before that, and its tree is the
 * last one all the same. Resolves with whether there was anything to do. Nothing is signed by it, nor does the anchor move.
 */
export async function freezeAgain(options: {
  readonly name: string;
  readonly store: LogStore;
  readonly anchor: Anchor;
  readonly key: LogKey;
}): Promise<boolean> {
  const { name, key } = options;
  const stored = await options.store.find(name);
  if (stored === undefined) throw noSuchLog(name);
  const anchored = await options.anchor.read();
  const state = await stored.writer.tree();
  if (anchored === undefined || !isFrozen(anchored) || state.frozen || state.size > anchored.size) return false;
  const reason =
    keyReason(key, state) ?? anchorKeyReason(key, anchored) ?? treeReason(state) ?? olderReason(anchored, state);
  if (reason !== undefined) throw new RefusedToSign(`log ${name}: ${reason}`);
  await stored.writer.freeze();
  return true;
}
