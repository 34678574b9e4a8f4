import { equalBytes } from "@chancery/encoding";
import type { TreeHead } from "@chancery/tlog";
import type { LogKey } from "./store.ts";

/** The highest tree head ever signed, and whose it is. */
export interface AnchoredHead extends TreeHead, LogKey {
  readonly time: number;
  /**
   * How often entries that nobody signed were cut off behind it. A process that began before such a cut still knows what
   * was cut off, and MUST NOT sign it.
   */
  readonly cuts?: number;
  /**
   * It is the last one: the database said that the log is frozen, and this is all that was ever committed to it. Nothing
   * else is signed after it, and a database that takes entries again is an older one.
   */
  readonly frozen?: boolean;
  /**
   * Drawn each time that an operator accepts the database. What a process that slept knows of before is then another
   * anchor, though all else be equal, and its next step fails.
   */
  readonly accepted?: string;
}

/**
 * The log's memory outside its database, so that a database that was put back to an older state is
 * noticed before anything is signed over it. It MUST NOT lie on what is restored together with the
 * database.
 */
export interface Anchor {
  /** Where it lies, for the operator's log: a path is nothing for readers. */
  readonly place?: string;
  /** What it says is durable when this resolves. */
  read(): Promise<AnchoredHead | undefined>;
  /**
   * Told what `compareAndSwap` will probably be asked for soon, it may do beforehand what has no force without that.
   * It is told so before the head is in the database, and never asked for it if the commit fails.
   */
  prepare?(next: AnchoredHead): void;
  /**
   * Replaces `expected` by `next`, durably, and resolves to true; or resolves to false, because it says
   * something else: `next` never stood there, or another process has put its heir in its place already.
   * Safe among processes.
   */
  compareAndSwap(expected: AnchoredHead | undefined, next: AnchoredHead): Promise<boolean>;
}

export function sameAnchor(a: AnchoredHead | undefined, b: AnchoredHead | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.size === b.size &&
    a.time === b.time &&
    cutsOf(a) === cutsOf(b) &&
    isFrozen(a) === isFrozen(b) &&
    a.accepted === b.accepted &&
    a.origin === b.origin &&
    equalBytes(a.root, b.root) &&
    equalBytes(a.keyId, b.keyId)
  );
}

export function cutsOf({ cuts = 0 }: AnchoredHead): number {
  return cuts;
}

export function isFrozen({ frozen = false }: Pick<AnchoredHead, "frozen">): boolean {
  return frozen;
}

/** For tests: it forgets when the process ends, which is what an anchor must not do. */
export class MemoryAnchor implements Anchor {
  #head: AnchoredHead | undefined;

  async read(): Promise<AnchoredHead | undefined> {
    return this.#head;
  }

  async compareAndSwap(expected: AnchoredHead | undefined, next: AnchoredHead): Promise<boolean> {
    if (!sameAnchor(this.#head, expected)) return false;
    this.#head = next;
    return true;
  }
}
