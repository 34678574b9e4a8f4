import { countedEntries, equalBytes } from "@chancery/encoding";
import { Fault, Misconfigured, RefusedToSign, Unavailable } from "@chancery/fault";
import { edgeRoot, type TreeHead } from "@chancery/tlog";
import { type AnchoredHead, isFrozen } from "./anchor.ts";
import type { AnchoredSigner } from "./anchored-signer.ts";
import type { PublishedCheckpoint } from "./entry.ts";
import type { LogKey, LogWriter, TreeState } from "./store.ts";

/** Entries that a crash leaves committed and not anchored, at most: with more the anchor is an old one. */
export const MOST_AHEAD = 4096n;

/** What to do, in the sentence that says what is wrong: README, "When something is wrong", says how. */
export const NEWER_DATABASE = "stop, and bring the newer database back: nothing else makes this log whole";
/** The command is to be pasted: its name for a log is ours. */
function newerAnchor(log: string): string {
  return `bring the newer anchor back, or, if this database is the newest there was, accept it (npm run chancery -- accept-anchor --log ${log})`;
}

const DELETE_PUBLISHED = "delete the log's row of log.published, and start: it is made anew from tree and anchor";

/** A head that was signed; `frozen`: as the last one. */
export type SignedHead = TreeHead & Pick<AnchoredHead, "frozen">;

/** How often a look is begun anew because others were at work meanwhile. */
const ATTEMPTS = 20;

/** Whether this process may still sign for its log. A refusal stays until an operator has looked and started it anew. */
export class Standing {
  readonly #log: string;
  readonly #signer: AnchoredSigner;
  /** How many entries the database may be ahead of the anchor, which is what a crash can leave. */
  readonly #ahead: bigint;
  #refusal: string | undefined;
  /** What only the operator's log says of it. */
  #cause: unknown;
  #met: TreeHead | undefined;

  constructor(log: string, signer: AnchoredSigner, ahead: bigint) {
    this.#log = log;
    this.#signer = signer;
    this.#ahead = ahead;
  }

  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** The first reason is kept: what follows from it would only hide it. */
  refuse(reason: string, cause?: unknown): RefusedToSign {
    if (this.#refusal === undefined) {
      this.#refusal = `log ${this.#log}: ${reason}`;
      this.#cause = cause;
    }
    return new RefusedToSign(this.#refusal, { cause });
  }

  assert(): void {
    if (this.#refusal !== undefined) throw new RefusedToSign(this.#refusal, { cause: this.#cause });
  }

  /** Passes errors on, and remembers those that end signing. */
  heed(error: unknown): unknown {
    if (!(error instanceof RefusedToSign) || error.message === this.#refusal) return error;
    return this.refuse(error.message, error);
  }

  /**
   * The highest head that this process knows to have been signed. It is to be taken BEFORE the database is asked: an
   * answer that was held up on its way is older than what was signed meanwhile, and yet no restored backup.
   */
  get signed(): SignedHead | undefined {
    const anchored = this.#signer.known;
    if (this.#met === undefined || (anchored !== undefined && anchored.size >= this.#met.size)) return anchored;
    return this.#met;
  }

  /**
   * What stands in the database as published, whoever wrote it there: it is not shown, nor is anything acknowledged
   * under it, before it is known to be the log's own.
   */
  expectSigned(checkpoint: PublishedCheckpoint): void {
    try {
      this.#signer.verify(checkpoint);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      throw this.refuse(
        `what its database has as published, of ${countedEntries(checkpoint.head.size)}, is not what was signed (${error.message}); ${DELETE_PUBLISHED}`,
        error,
      );
    }
  }

  /** A published checkpoint was signed too, whoever's anchor knows of it. */
  meet(head: TreeHead): void {
    if (this.#met === undefined || this.#met.size < head.size) this.#met = head;
  }

  /** What a batch can check under its lock without another read. */
  assertTree(state: TreeState, signed: SignedHead | undefined): void {
    const reason =
      keyReason(this.#signer.key, state) ??
      treeReason(state) ??
      (signed && (olderReason(signed, state) ?? frozenReason(this.#log, signed, state)));
    if (reason !== undefined) throw this.refuse(reason);
  }

  /**
   * Anchor against database, wholly. The anchor is read before the tree for the one rule and after it for the
   * other: a batch that another process completes meanwhile must not look like a restored backup of either. The tree that
   * is returned is never smaller than the anchored one.
   */
  async examine(writer: LogWriter): Promise<{ anchored: AnchoredHead; state: TreeState }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const before = await this.#readAnchor();
      const signed = this.signed;
      const state = await writer.tree();
      this.assertTree(state, signed);
      if (before === undefined) {
        throw this.#refuseAnchor(
          `its anchor is missing and its database holds ${countedEntries(state.size)}: ${newerAnchor(this.#log)}`,
        );
      }
      if (newerReason(this.#log, before, state, this.#ahead) === undefined) return { anchored: before, state };
      const after = (await this.#readAnchor()) ?? before;
      const newer = newerReason(this.#log, after, state, this.#ahead);
      if (newer !== undefined) throw this.#refuseAnchor(newer);
      if (after.size <= state.size) return { anchored: after, state };
      // Yet another batch went through: the anchor is of a tree that is newer than what was read.
    }
    throw new Unavailable("other processes grow the log faster than this one can look at it", 1);
  }

  async #readAnchor(): Promise<AnchoredHead | undefined> {
    const anchored = await this.#signer.readAnchor();
    const reason = anchored && anchorKeyReason(this.#signer.key, anchored);
    if (reason !== undefined) throw this.#refuseAnchor(reason);
    return anchored;
  }

  /** Anyone may read the refusal; where the anchor was looked for is for the log. */
  #refuseAnchor(reason: string): RefusedToSign {
    return this.refuse(reason, new Misconfigured("chancery.anchor", `is in ${this.#signer.anchorPlace}`));
  }
}

export function keyReason(key: LogKey, tree: LogKey): string | undefined {
  if (tree.origin !== key.origin) return `its database was made for origin ${tree.origin}, not ${key.origin}`;
  if (!equalBytes(tree.keyId, key.keyId)) return "its database was made for another key";
  return undefined;
}

export function anchorKeyReason(key: LogKey, anchored: LogKey): string | undefined {
  if (anchored.origin !== key.origin) return `its anchor is of origin ${anchored.origin}, not ${key.origin}`;
  if (!equalBytes(anchored.keyId, key.keyId)) return "its anchor is of another key";
  return undefined;
}

/** Of the tree in itself: that it hashes to its root (a bit may have flipped at rest) and that commits last. */
export function treeReason(tree: TreeState): string | undefined {
  if (tree.volatile !== undefined) return `${tree.volatile}: acknowledged entries could be lost in a power cut`;
  try {
    if (equalBytes(edgeRoot(tree), tree.root)) return undefined;
  } catch {
    // An edge that does not fit its size is as wrong as one that hashes to something else.
  }
  return `the stored tree of ${countedEntries(tree.size)} does not hash to its root`;
}

/**
 * A database that was put back. Signing would show a second history to everyone who saw the first (Venafi's
 * log died of a restored backup in 2017).
 */
export function olderReason(anchored: TreeHead, tree: TreeState): string | undefined {
  if (tree.size < anchored.size) {
    return `its database is older than what was signed: it holds ${countedEntries(tree.size)}, a tree of ${anchored.size} was signed; ${NEWER_DATABASE}`;
  }
  if (tree.size === anchored.size && !equalBytes(tree.root, anchored.root)) {
    return `its database is not what was signed: another tree of the same ${countedEntries(tree.size)} was; ${NEWER_DATABASE}`;
  }
  return undefined;
}

/** Of a log whose anchor says that it is frozen. */
export function frozenReason(log: string, signed: SignedHead, tree: TreeState): string | undefined {
  if (!isFrozen(signed)) return undefined;
  const thawed = thawedReason(log, signed, tree);
  if (thawed !== undefined || tree.size <= signed.size) return thawed;
  return `it was frozen for ever with ${countedEntries(signed.size)}, and its database holds ${tree.size}: nobody signed what is beyond, and it can be cut off (npm run chancery -- cut-unsigned --log ${log})`;
}

/**
 * A database that was put back to before the log was frozen, and is not older than its last tree: no other rule tells. All
 * that it lacks is to be frozen again, and what a process committed that did not know of it can then be cut off.
 */
export function thawedReason(log: string, { frozen }: SignedHead, tree: TreeState): string | undefined {
  if (frozen !== true || tree.frozen) return undefined;
  return `it was frozen for ever, and its database says that it takes entries again; bring the newer database back, or, if this is the newest there is, freeze it once more (npm run chancery -- freeze --log ${log} --for-ever)`;
}

/** An anchor that was put back: it no longer knows all that was signed. */
function newerReason(log: string, anchored: AnchoredHead, tree: TreeState, ahead: bigint): string | undefined {
  const published = tree.published?.size ?? 0n;
  if (published > anchored.size) {
    return `its anchor is older than what was published: it knows a tree of ${countedEntries(anchored.size)}, ${published} were published; ${newerAnchor(log)}`;
  }
  if (tree.published !== undefined && published === anchored.size && tree.published.time > anchored.time) {
    return `its anchor is older than what was published: it knows the tree of ${countedEntries(published)} as it was signed earlier; ${newerAnchor(log)}`;
  }
  if (tree.size - anchored.size > ahead) {
    return `its anchor is older than its database by ${countedEntries(tree.size - anchored.size)}, and a crash leaves at most ${ahead}; ${newerAnchor(log)}`;
  }
  return undefined;
}
