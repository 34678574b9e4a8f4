import { setTimeout as delay } from "node:timers/promises";
import { equalBytes } from "@chancery/encoding";
import { RefusedToSign, Unavailable } from "@chancery/fault";
import type { TreeHead } from "@chancery/tlog";
import type { AnchoredHead } from "./anchor.ts";
import type { AnchoredSigner } from "./anchored-signer.ts";
import { isNewer, type PublishedCheckpoint } from "./entry.ts";
import type { Publisher } from "./publisher.ts";
import type { Standing } from "./standing.ts";

/** How old a checkpoint may be that is answered from memory. Another process may have published since. */
const FRESH_MS = 100;
/** How long the database may take to name the newest checkpoint before the one in memory is answered. */
const PATIENCE_MS = 1000;

export interface PublishedReadsParts {
  readonly name: string;
  readonly publisher: Publisher;
  readonly standing: Standing;
  readonly signer: AnchoredSigner;
  /** Looks at anchor and database anew. */
  readonly examine: () => Promise<unknown>;
}

/** Up to where a log is published, as readers are told. */
export class PublishedReads {
  readonly #parts: PublishedReadsParts;
  #readAt = -Infinity;
  #reading: Promise<PublishedCheckpoint> | undefined;
  #asking: Promise<AnchoredHead | undefined> | undefined;
  /** The database owes an answer for longer than PATIENCE_MS. */
  #owed = 0;

  constructor(parts: PublishedReadsParts) {
    this.#parts = parts;
  }

  /** The newest checkpoint. While refused, only if it is the last one signed: never an older one, as if nothing had been. */
  async checkpoint(): Promise<PublishedCheckpoint> {
    const { standing, publisher } = this.#parts;
    if (standing.refusal !== undefined) return await this.#lastSigned(standing.refusal);
    const known = publisher.newest;
    if (known !== undefined && (this.#owed > 0 || performance.now() - this.#readAt < FRESH_MS)) return known;
    return await this.#shared();
  }

  /** Not from memory, nor by a question under way, which may have been asked before another process published. */
  async anew(): Promise<PublishedCheckpoint> {
    await this.#reading?.catch(() => {});
    return await this.#shared();
  }

  /** One question for all who ask while it is under way. */
  #shared(): Promise<PublishedCheckpoint> {
    return (this.#reading ??= this.#read().finally(() => (this.#reading = undefined)));
  }

  /** What reads go by: entries that were published once stay readable even while nothing is signed. */
  async size(): Promise<bigint> {
    const { standing, publisher } = this.#parts;
    if (standing.refusal === undefined) return (await this.checkpoint()).head.size;
    try {
      return (await publisher.read())?.head.size ?? 0n;
    } catch (error) {
      // What stands as published is not the log's: then it is what was signed that can be read.
      if (error instanceof RefusedToSign) return standing.signed?.size ?? 0n;
      throw error;
    }
  }

  /** The published size, asked for anew if what is in memory does not reach beyond `index`. */
  async sizeAbove(index: bigint): Promise<bigint> {
    const { standing, publisher } = this.#parts;
    if (standing.refusal !== undefined) return await this.#sizeLeft(index, standing.refusal);
    const known = publisher.newest?.head.size ?? 0n;
    if (known > index) return known;
    const { size } = (await this.anew()).head;
    return size > index ? size : await this.#sizeAnchored(index, size);
  }

  /**
   * Asked before anything is said not to be there. Publications are committed without waiting for the disk: a crash of
   * PostgreSQL takes back up to half a second of them, and with them what another process has acknowledged meanwhile.
   * Tree and anchor were waited for: what the anchor knows is published again, or refused, and not unheard of.
   */
  async #sizeAnchored(index: bigint, published: bigint): Promise<bigint> {
    const { signer, publisher } = this.#parts;
    await this.#asking?.catch(() => {});
    this.#asking ??= signer.readAnchor().finally(() => (this.#asking = undefined));
    const anchored = await this.#asking;
    if (anchored === undefined || anchored.size <= index) return published;
    return (await publisher.cover(anchored.size)).head.size;
  }

  /** While refused: what the database has. What was signed beyond it is lost, not unheard of. */
  async #sizeLeft(index: bigint, refusal: string): Promise<bigint> {
    const size = await this.size();
    if (index >= size && index < (this.#parts.standing.signed?.size ?? 0n)) throw new RefusedToSign(refusal);
    return size;
  }

  async #read(): Promise<PublishedCheckpoint> {
    const { name, publisher, standing, examine } = this.#parts;
    const known = publisher.newest;
    const read = await this.#ask(known);
    if (read === undefined) throw new Unavailable(`log ${name} has not published a checkpoint yet`, 1);
    if (known !== undefined && isNewer(known, read)) {
      // A power cut took a publication back, or the database is an older one: who only reads is to notice that, too.
      await examine();
      if (standing.refusal !== undefined) return await this.#lastSigned(standing.refusal);
    }
    publisher.note(read);
    this.#readAt = performance.now();
    return publisher.newest ?? read;
  }

  /**
   * The checkpoint of a moment ago is still a true one: readers need not notice that the database is away, nor that it
   * hangs, where each of them would wait for as long as an answer may take.
   */
  async #ask(known: PublishedCheckpoint | undefined): Promise<PublishedCheckpoint | undefined> {
    const answer = this.#parts.publisher.read();
    if (known === undefined) return await answer;
    const tired = new AbortController();
    const patience = delay(PATIENCE_MS, "late", { signal: tired.signal, ref: false }).catch(() => "late");
    try {
      const first = await Promise.race([answer, patience]);
      if (typeof first !== "string") return first;
      this.#owed++;
      const settled = () => this.#owed--;
      answer.then(settled, settled);
      return known;
    } catch (error) {
      if (error instanceof Unavailable) return known;
      throw error;
    } finally {
      tired.abort();
    }
  }

  async #lastSigned(refusal: string): Promise<PublishedCheckpoint> {
    const { publisher, standing } = this.#parts;
    const { signed } = standing;
    const read = await publisher.read();
    if (read === undefined || !isHead(read, signed)) throw new RefusedToSign(refusal);
    return read;
  }
}

function isHead({ head }: PublishedCheckpoint, signed: TreeHead | undefined): boolean {
  return signed !== undefined && head.size === signed.size && equalBytes(head.root, signed.root);
}
