import { countedEntries, equalBytes } from "@chancery/encoding";
import { Fault, RefusedToSign, Unverified } from "@chancery/fault";
import { type ConsistencyProof, EMPTY_ROOT, type TreeHead, verifyConsistency } from "@chancery/tlog";
import { type Anchor, type AnchoredHead, cutsOf, isFrozen, sameAnchor } from "./anchor.ts";
import type { PublishedCheckpoint, TreeHeadSigner } from "./entry.ts";
import type { LogKey } from "./store.ts";

/**
 * The only way to the log's key. "A log MUST NOT sign any checkpoint which is inconsistent with any
 * checkpoint it previously signed" (c2sp.org/tlog-checkpoint), and as every signed head goes through the anchor
 * first, extending the anchor is extending them all. The rule stands here, so that no caller, however
 * wrong about the state of the database, can get around it.
 */
export class AnchoredSigner {
  readonly #signer: TreeHeadSigner;
  readonly #anchor: Anchor;
  #known: AnchoredHead | undefined;
  #verified: (ReturnType<TreeHeadSigner["verify"]> & { readonly note: Uint8Array }) | undefined;

  constructor(signer: TreeHeadSigner, anchor: Anchor) {
    this.#signer = signer;
    this.#anchor = anchor;
  }

  get key(): LogKey {
    return { origin: this.#signer.origin, keyId: this.#signer.keyId };
  }

  get anchorPlace(): string {
    return this.#anchor.place ?? "memory";
  }

  /** What the anchor said last, to this process. Another may have moved it since; `sign` finds that out. */
  get known(): AnchoredHead | undefined {
    return this.#known;
  }

  async readAnchor(): Promise<AnchoredHead | undefined> {
    const read = await this.#anchor.read();
    const known = this.#known;
    if (read === undefined) return undefined;
    if (known !== undefined && cutsOf(read) !== cutsOf(known)) {
      throw new RefusedToSign("entries were cut off while this process ran: start it anew");
    }
    if (known !== undefined && read.accepted !== known.accepted) {
      throw new RefusedToSign("its anchor was accepted anew while this process ran: start it anew");
    }
    if (known !== undefined && isFrozen(known) && !isFrozen(read) && isBefore(known, read)) {
      throw new RefusedToSign("its anchor said that it was frozen for ever, and says so no more: start it anew");
    }
    this.#learn(read);
    return read;
  }

  /** The first head of a log, of no entries. Undefined when the anchor is not empty. */
  async signFirst(time: number): Promise<PublishedCheckpoint | undefined> {
    const first = { ...this.key, size: 0n, root: EMPTY_ROOT, time };
    if (!(await this.#anchor.compareAndSwap(undefined, first))) return undefined;
    this.#known = first;
    return await this.#sign(first);
  }

  /** Nothing is signed by it, and nothing anchored. */
  prepare({ size, root, time }: TreeHead & { readonly time: number }): void {
    this.#anchor.prepare?.({ ...this.#known, ...this.key, size, root, time });
  }

  /**
   * Signs `next` if it is what `anchored` became. `anchored` is what the anchor is believed to say;
   * undefined when it says something else by now, in which case nothing was signed. The time that is signed is that of
   * `next`, or a later one where that would not be after what was signed before.
   *
   * The anchor moves before the signature is made: a crash between the two costs a signature that is made
   * again at the next start, never one that was forgotten.
   */
  async sign(
    anchored: AnchoredHead,
    proof: ConsistencyProof,
    next: TreeHead & { readonly time: number },
    onAnchored: () => void | Promise<void> = () => {},
  ): Promise<PublishedCheckpoint | undefined> {
    this.#check(anchored, proof, next);
    const head = { ...anchored, size: next.size, root: next.root, time: timeAfter(anchored, next) };
    const moved = sameAnchor(anchored, head)
      ? sameAnchor(await this.#anchor.read(), head)
      : await this.#anchor.compareAndSwap(anchored, head);
    if (!moved) return undefined;
    this.#learn(head);
    await onAnchored();
    return await this.#sign(head);
  }

  /**
   * Says in the anchor that what it knows is the last tree: nothing larger, nor later, is ever signed after it. To be
   * called for the whole of a database that says that it is frozen. False when the anchor says something else by now.
   */
  async freeze(anchored: AnchoredHead): Promise<boolean> {
    const last = { ...anchored, frozen: true };
    if (!(await this.#anchor.compareAndSwap(anchored, last))) return false;
    this.#learn(last);
    return true;
  }

  /** Unverified unless the log's key signed just this. A note is verified once, however often it is met. */
  verify({ head, time, note }: PublishedCheckpoint): void {
    if (this.#verified === undefined || !equalBytes(this.#verified.note, note)) {
      this.#verified = { ...this.#signer.verify(note), note };
    }
    const { size, root, timestamp } = this.#verified;
    const same = size === head.size && equalBytes(root, head.root);
    if (!same || (timestamp !== undefined && timestamp !== BigInt(time))) {
      throw new Unverified("checkpoint: its note is of another tree head");
    }
  }

  #check(anchored: AnchoredHead, proof: ConsistencyProof, next: TreeHead & { readonly time: number }): void {
    if (anchored.origin !== this.#signer.origin) throw new RefusedToSign("the anchor is of another log");
    if (!equalBytes(anchored.keyId, this.#signer.keyId)) throw new RefusedToSign("the anchor is of another key");
    for (const last of [anchored, this.#known]) {
      if (last === undefined || !isFrozen(last) || !isBefore(last, next)) continue;
      throw new RefusedToSign(
        `it was frozen for ever with ${countedEntries(last.size)}: nothing is signed after its last tree`,
      );
    }
    try {
      verifyConsistency(proof, anchored, next);
    } catch (cause) {
      if (!(cause instanceof Fault)) throw cause;
      throw new RefusedToSign(
        `the tree of ${countedEntries(next.size)} is not what the signed tree of ${anchored.size} became (${cause.message})`,
        { cause },
      );
    }
  }

  /** What is read may be older than a step of our own that came meanwhile; what is known never gets less. */
  #learn(head: AnchoredHead): void {
    const known = this.#known;
    if (known === undefined || isBefore(known, head) || (!isBefore(head, known) && !isFrozen(known)))
      this.#known = head;
  }

  async #sign({ size, root, time }: AnchoredHead): Promise<PublishedCheckpoint> {
    const head = { size, root };
    return { head, time, note: await this.#signer.sign(head, time) };
  }
}

type TimedHead = Pick<AnchoredHead, "size" | "time">;

function isBefore(head: TimedHead, other: TimedHead): boolean {
  return head.size < other.size || (head.size === other.size && head.time < other.time);
}

/** The same tree may be signed again as of now, and another process may have done so after this one was committed. */
function timeAfter(anchored: AnchoredHead, next: TreeHead & { readonly time: number }): number {
  return Math.max(next.time, next.size === anchored.size ? anchored.time : anchored.time + 1);
}
