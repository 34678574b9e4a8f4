import { randomBytes } from "node:crypto";
import { encodeHex } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { consistencyProof, verifyConsistency } from "@chancery/tlog";
import { type Anchor, type AnchoredHead, cutsOf } from "./anchor.ts";
import { AnchoredSigner } from "./anchored-signer.ts";
import type { TreeHeadSigner } from "./entry.ts";
import { TOLERANCE_MS } from "./log-clock.ts";
import { noSuchLog } from "./no-such-log.ts";
import { anchorKeyReason, frozenReason, keyReason, olderReason, treeReason } from "./standing.ts";
import type { LogStore, StoredLog } from "./store.ts";
import { TileReads } from "./tile-reads.ts";
import { proveUnsigned } from "./unsigned-entries.ts";

/**
 * Sets an anchor that is lost, or was put back to an older state, to what the database holds. An operator
 * does this, having made sure that the database is the newest there ever was: from then on the log
 * vouches for it. A database that contradicts the anchor is not accepted by any means.
 *
 * An anchor that is lost, or an old one, does not know how often was cut off what nobody signed. So each that is accepted
 * has a name of its own, drawn at random: a process that slept through all of it, with a tree of before a cut in its memory,
 * never finds the anchor that it knew, whatever size and time are the same.
 */
export async function acceptAnchor(options: {
  readonly name: string;
  readonly store: LogStore;
  readonly anchor: Anchor;
  readonly signer: TreeHeadSigner;
  /** Milliseconds since 1970. */
  readonly now?: number;
  /** 16 bytes that never were before. */
  readonly drawn?: Uint8Array;
}): Promise<{ readonly before: AnchoredHead | undefined; readonly after: AnchoredHead }> {
  const { name, anchor, signer, now = Date.now(), drawn = randomBytes(16) } = options;
  const stored = await options.store.find(name);
  if (stored === undefined) throw noSuchLog(name);
  const state = await stored.writer.tree();
  const before = await anchor.read();
  const reason =
    keyReason(signer, state) ??
    treeReason(state) ??
    (before && (anchorKeyReason(signer, before) ?? olderReason(before, state) ?? frozenReason(name, before, state)));
  if (reason !== undefined) throw new RefusedToSign(`log ${name}: ${reason}`);
  const tiles = new TileReads(stored.reader);
  for (const older of [before, state.published]) {
    if (older === undefined) continue;
    verifyConsistency(await consistencyProof(older.size, state.size, tiles.hashes(state.size)), older, state);
  }
  // What is beyond may never have been signed, and with this anchor it will be, unread.
  const signed = await signedHead(stored, new AnchoredSigner(signer, anchor), before);
  if (signed !== undefined && signed.size < state.size) await proveUnsigned(stored.unsigned, signed, state);
  const { size, root } = state;
  // A head signed again has a later time than its tree.
  const time = Math.max(state.time, before?.time ?? 0, state.published?.time ?? 0);
  if (time > now + TOLERANCE_MS) {
    const when = new Date(time).toISOString();
    throw new RefusedToSign(
      `log ${name}: its database has a time that is yet to come (${when}): it would log nothing before`,
    );
  }
  const after = {
    origin: signer.origin,
    keyId: signer.keyId,
    size,
    root,
    time,
    cuts: before === undefined ? 0 : cutsOf(before),
    accepted: encodeHex(drawn),
    // Nothing was committed after that: what is accepted is the last tree.
    ...(state.frozen && { frozen: true }),
  };
  if (!(await anchor.compareAndSwap(before, after))) {
    throw new RefusedToSign(`log ${name}: its anchor moved meanwhile, so a process is running on it; stop it first`);
  }
  return { before, after };
}

/** The newest head that is known to have been signed. What stands as published must be the log's own. */
async function signedHead(stored: StoredLog, signer: AnchoredSigner, before: AnchoredHead | undefined) {
  const published = await stored.reader.published();
  if (published !== undefined) signer.verify(published);
  return published?.head ?? before;
}
