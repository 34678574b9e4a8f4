import { encodeHex, PassingMap } from "@chancery/encoding";
import { Frozen, Pushback } from "@chancery/fault";
import type { Appended, NewEntry } from "./entry.ts";

/** Room for what was accepted and not yet answered. */
export interface PoolLimits {
  readonly entries: number;
  readonly bytes: number;
  readonly batchEntries: number;
  readonly batchBytes: number;
}

/** One entry under way and everyone who waits for it. */
export interface Waiter {
  readonly entry: NewEntry;
  readonly name: string;
  readonly bytes: number;
  readonly callers: PromiseWithResolvers<Appended>[];
}

/**
 * Entries on their way into the log. What is equal joins what is under way, so a thousand equal
 * requests are one leaf and one proof; yet each caller has a promise of its own, and what
 * becomes of one caller is nothing to the others.
 */
export class Pool {
  readonly #limits: PoolLimits;
  readonly #byName = new PassingMap<string, Waiter>();
  #queue: Waiter[] = [];
  #bytes = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Entries in no batch yet. */
  get waiting(): number {
    return this.#queue.length;
  }

  join(entry: NewEntry): Promise<Appended> {
    const name = encodeHex(entry.identity);
    const caller = Promise.withResolvers<Appended>();
    const underWay = this.#byName.get(name);
    if (underWay !== undefined) {
      if (underWay.callers.length >= this.#limits.entries) {
        throw new Pushback(`${underWay.callers.length} callers wait for this entry already`, 1);
      }
      underWay.callers.push(caller);
      return caller.promise;
    }
    const bytes = sizeOf(entry);
    this.#expectRoom(bytes);
    const waiter = { entry, name, bytes, callers: [caller] };
    this.#byName.set(name, waiter);
    this.#queue.push(waiter);
    this.#bytes += bytes;
    return caller.promise;
  }

  /** The next batch, oldest first; at least one entry if any waits. */
  take(): Waiter[] {
    const batch: Waiter[] = [];
    this.extend(batch);
    return batch;
  }

  /** Adds to a batch what came since it was taken. */
  extend(batch: Waiter[]): void {
    let bytes = batch.reduce((sum, waiter) => sum + waiter.bytes, 0);
    let taken = 0;
    for (const waiter of this.#queue) {
      bytes += waiter.bytes;
      if (batch.length > 0 && (batch.length >= this.#limits.batchEntries || bytes > this.#limits.batchBytes)) break;
      batch.push(waiter);
      taken++;
    }
    this.#queue = this.#queue.slice(taken);
  }

  resolve(waiter: Waiter, appended: Appended): void {
    this.#forget(waiter);
    for (const [at, caller] of waiter.callers.entries()) {
      caller.resolve(at === 0 ? appended : { ...appended, duplicate: true });
    }
  }

  reject(waiter: Waiter, reason: unknown): void {
    this.#forget(waiter);
    for (const caller of waiter.callers) caller.reject(reason);
  }

  rejectQueued(reason: unknown): void {
    const queued = this.#queue;
    this.#queue = [];
    for (const waiter of queued) this.reject(waiter, reason);
  }

  #expectRoom(bytes: number): void {
    if (this.#byName.size >= this.#limits.entries) {
      throw new Pushback(`the log has ${this.#byName.size} entries under way`, 1);
    }
    // One entry alone may be of any size that its service lets through.
    if (this.#byName.size > 0 && this.#bytes + bytes > this.#limits.bytes) {
      throw new Pushback(`the log has ${this.#bytes} bytes of entries under way`, 1);
    }
  }

  #forget(waiter: Waiter): void {
    if (this.#byName.delete(waiter.name)) this.#bytes -= waiter.bytes;
  }
}

export function frozenFault(log: string): Frozen {
  return new Frozen(`log ${log} is frozen: it takes no more entries`);
}

/** A leaf's length hardly depends on its place. */
function sizeOf(entry: NewEntry): number {
  return (
    (entry.leafLength ?? entry.leaf({ index: 0n, time: 0 }).length) +
    entry.extra.length +
    entry.identity.length +
    entry.searchKeys.packed.length +
    (entry.names ?? []).reduce((sum, { name }) => sum + name.length, 0)
  );
}
