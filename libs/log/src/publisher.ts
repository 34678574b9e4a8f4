import { setTimeout as delay } from "node:timers/promises";
import { equalBytes } from "@chancery/encoding";
import { Fault, RefusedToSign, Unavailable } from "@chancery/fault";
import { type ConsistencyProof, consistencyProofFrom, type Growth } from "@chancery/tlog";
import { type AnchoredHead, isFrozen } from "./anchor.ts";
import type { AnchoredSigner } from "./anchored-signer.ts";
import { isNewer, type PublishedCheckpoint } from "./entry.ts";
import type { Failpoint } from "./failpoint.ts";
import type { Standing } from "./standing.ts";
import { MissingRows, type StoredLog, type Tree, type TreeState } from "./store.ts";
import { proveUnsigned } from "./unsigned-entries.ts";

/** How long another process may take for its anchor or its publication before we go on without it. */
const OTHERS_TURN_MS = [1, 2, 4, 8, 16, 32, 64];
const ATTEMPTS = 20;

/** A tree just committed, with what proves it the heir of the tree before without reading anything. */
export interface GrownTree {
  readonly tree: Tree;
  readonly before: Tree;
  readonly growth: Growth;
}

export interface PublisherParts {
  readonly stored: StoredLog;
  readonly signer: AnchoredSigner;
  readonly standing: Standing;
  readonly failpoint: Failpoint;
}

/**
 * Takes the committed tree through anchor and signature to the public. `published <= anchor <= database`
 * holds after each step, so whoever comes next, this process or another, can go on from any of them.
 */
export class Publisher {
  readonly #parts: PublisherParts;
  #newest: PublishedCheckpoint | undefined;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** The newest checkpoint this process published or met. */
  get newest(): PublishedCheckpoint | undefined {
    return this.#newest;
  }

  /** What stands as published, by whichever process. */
  async read(): Promise<PublishedCheckpoint | undefined> {
    const published = await this.#parts.stored.reader.published();
    if (published !== undefined) this.#parts.standing.expectSigned(published);
    return published;
  }

  note(checkpoint: PublishedCheckpoint): void {
    this.#parts.standing.meet(checkpoint.head);
    if (this.#newest === undefined || isNewer(checkpoint, this.#newest)) this.#newest = checkpoint;
  }

  /** A tree about to be committed. */
  prepare(tree: Tree): void {
    this.#parts.signer.prepare(tree);
  }

  /**
   * Publishes a tree just grown, or finds that another process has published one with it inside. The tree before may
   * be another process's, still on its way to the anchor: it gets its turn, so that each signs what it grew.
   */
  async publish({ tree, before, growth }: GrownTree): Promise<PublishedCheckpoint> {
    const { signer } = this.#parts;
    const { size } = before;
    const proof = consistencyProofFrom(size, tree.size, growth.lookup);
    let anchored = this.#expected(before);
    for (const pause of OTHERS_TURN_MS) {
      const signed = await this.#sign(anchored, proof, tree);
      if (signed !== undefined) return await this.#publish(signed);
      const read = await signer.readAnchor();
      if (read === undefined || read.size > size) break;
      // The tree before, signed again meanwhile by whoever renewed it.
      if (read.size === size) anchored = read;
      else await delay(pause);
    }
    return await this.cover(tree.size);
  }

  /** Signs the newest tree again; undefined when `stamp` wants no newer time, it is frozen, or it grew meanwhile. */
  async renew(stamp: (last: number) => number | undefined): Promise<PublishedCheckpoint | undefined> {
    const { standing, stored } = this.#parts;
    const { anchored, state } = await standing.examine(stored.writer);
    if (state.frozen || isFrozen(anchored) || state.size !== anchored.size) return undefined;
    const time = stamp(Math.max(state.time, anchored.time));
    if (time === undefined) return undefined;
    const signed = await this.#sign(anchored, await this.#proveUnsigned(anchored, state), { ...state, time });
    return signed && (await this.#publish(signed));
  }

  /** What the anchor says if nobody else is at work: the tree before, as it was signed last. */
  #expected({ size, root, time }: Tree): AnchoredHead {
    const { key, known } = this.#parts.signer;
    return known?.size === size && equalBytes(known.root, root) ? known : { ...known, ...key, size, root, time };
  }

  /** A published checkpoint of at least this size: another process's if it comes soon, else our own. */
  async cover(size: bigint): Promise<PublishedCheckpoint> {
    const { signer } = this.#parts;
    if (this.#newest !== undefined && this.#newest.head.size >= size) return this.#newest;
    const anchored = await signer.readAnchor();
    if (anchored === undefined || anchored.size < size) return await this.advance();
    for (const pause of OTHERS_TURN_MS) {
      const standing = await this.read();
      if (standing !== undefined) this.note(standing);
      if (standing !== undefined && standing.head.size >= size) return standing;
      await delay(pause);
    }
    return await this.advance();
  }

  /** The last checkpoint of a log whose database says that it is frozen, once its anchor says so, too. */
  async last(): Promise<PublishedCheckpoint> {
    const { known } = this.#parts.signer;
    return known !== undefined && isFrozen(known) ? await this.cover(known.size) : await this.advance();
  }

  /**
   * Brings anchor and published checkpoint up to the database: after a crash, and for a process that stopped on the way.
   * Of a frozen log the anchor then says so.
   */
  async advance(): Promise<PublishedCheckpoint> {
    const { standing, stored } = this.#parts;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { anchored, state } = await standing.examine(stored.writer);
      if (!isPublished(state, anchored)) {
        const proof = await this.#proveUnsigned(anchored, state);
        const signed = await this.#sign(anchored, proof, state);
        const published = signed && (await this.#publish(signed));
        if (published !== undefined && !state.frozen) return published;
      } else if (!state.frozen || isFrozen(anchored) || (await this.#freeze(anchored))) {
        return await this.#standingCheckpoint();
      }
    }
    throw new Unavailable("other processes publish faster than this one", 1);
  }

  /**
   * All that was committed before the database was frozen is published, and nothing can follow. A crash before the anchor
   * says so leaves what the next look completes; whoever is told that the log is frozen is told so after it.
   */
  async #freeze(anchored: AnchoredHead): Promise<boolean> {
    const { signer, stored, failpoint } = this.#parts;
    // Publications do not wait for the disk; this commit does, and comes after the last of them.
    await stored.writer.freeze();
    if (!(await signer.freeze(anchored))) return false;
    await failpoint("frozen-anchored");
    return true;
  }

  /** Undefined when the anchor moved first. */
  async #sign(anchored: AnchoredHead, proof: ConsistencyProof, tree: Tree): Promise<PublishedCheckpoint | undefined> {
    const { standing, signer, failpoint } = this.#parts;
    standing.assert();
    try {
      const signed = await signer.sign(anchored, proof, tree, () => failpoint("anchored"));
      if (signed !== undefined) await failpoint("signed");
      return signed;
    } catch (error) {
      if (error instanceof Fault) throw standing.heed(error);
      throw new Unavailable("the log's key does not sign", 5, { cause: error });
    }
  }

  /** An older head is never published over a newer one: then the newer one is the answer. */
  async #publish(signed: PublishedCheckpoint): Promise<PublishedCheckpoint> {
    const standing = await this.#parts.stored.writer.publish(signed);
    if (standing !== signed) this.#parts.standing.expectSigned(standing);
    await this.#parts.failpoint("published");
    this.note(standing);
    return standing;
  }

  async #standingCheckpoint(): Promise<PublishedCheckpoint> {
    const standing = await this.read();
    if (standing === undefined) throw new Unavailable("the published checkpoint is not to be had", 1);
    this.note(standing);
    return standing;
  }

  /** What a committed tree needs and that is not there, or not as it was hashed, is damage, not bad luck. */
  async #proveUnsigned(anchored: AnchoredHead, tree: Tree): Promise<ConsistencyProof> {
    if (anchored.size === tree.size) return { from: tree.size, to: tree.size, path: [] };
    try {
      return await proveUnsigned(this.#parts.stored.unsigned, anchored, tree);
    } catch (error) {
      const passing = error instanceof Unavailable && !(error instanceof MissingRows);
      if (!(error instanceof Fault) || passing) throw error;
      const { standing, stored } = this.#parts;
      // A standby took over that had not received them: nobody was promised these, and the next look finds the tree it has.
      if ((await stored.writer.tree()).size < tree.size) {
        throw new Unavailable("the database lost what it had committed and not signed", 1, { cause: error });
      }
      if (error instanceof RefusedToSign) throw standing.heed(error);
      const entries = `entries ${anchored.size} to ${tree.size - 1n}, committed and not signed,`;
      throw standing.refuse(`${entries} are not as they were committed (${error.message})`, error);
    }
  }
}

/**
 * As it was signed last: a crash may have come between the anchor and what readers see. The last checkpoint of a frozen
 * log stays, though it was being renewed when the log was frozen.
 */
export function isPublished({ size, frozen, published }: TreeState, anchored: AnchoredHead): boolean {
  return published?.size === size && (frozen || published.time >= anchored.time);
}
