import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { equalBytes } from "@chancery/encoding";
import { RefusedToSign, Unavailable, Unverified } from "@chancery/fault";
import { OutcomeUnknown } from "@chancery/postgres";
import {
  ClimbedPaths,
  GrownProofs,
  type HashReader,
  type InclusionProof,
  inclusionProof,
  leafHash,
  verifyInclusion,
  type TreeHead,
} from "@chancery/tlog";
import type { Appended, LoggedEntry, NewEntry, PublishedCheckpoint } from "./entry.ts";
import { gatheringTime, type LastBatch } from "./gathering.ts";
import { integrate, type Integration, type Placement } from "./integrate.ts";
import type { LogClock } from "./log-clock.ts";
import { frozenFault, type Pool, type Waiter } from "./pool.ts";
import type { Publisher } from "./publisher.ts";
import type { Standing } from "./standing.ts";
import type { StoredLog, TreeState } from "./store.ts";
import { remembering, type TileReads } from "./tile-reads.ts";

const LONGEST_PAUSE_MS = 500;
/** Proofs made between two turns of the event loop: about 2 ms of work. */
const ANSWERS_A_TURN = 32;

/** For each of so many in a batch one that came while it waited for the log's lock: then they are taken along. */
const LATECOMERS = 4;

export interface SequencerParts {
  readonly name: string;
  readonly pool: Pool;
  readonly stored: StoredLog;
  readonly publisher: Publisher;
  readonly standing: Standing;
  readonly tiles: TileReads;
  readonly clock: LogClock;
  readonly ahead: bigint;
  readonly doubtMs: number;
}

/**
 * Takes batches from the pool, one after the other: commit, anchor, sign, publish, answer. A batch is what
 * came while the one before was under way, and where many write, a little longer (`gatheringTime`); one caller waits
 * for one commit, and a thousand share it.
 */
export class Sequencer {
  readonly #parts: SequencerParts;
  #running: Promise<void> | undefined;
  readonly #answering = new Set<Promise<void>>();
  /** Size of the tree as this process left it last. */
  #left: bigint | undefined;
  #othersWrite = false;
  /** Undefined where it failed. */
  #last: LastBatch | undefined;

  constructor(parts: SequencerParts) {
    this.#parts = parts;
  }

  append(entry: NewEntry): Promise<Appended> {
    const appended = this.#parts.pool.join(entry);
    this.#running ??= this.#run();
    return appended;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#answering.size > 0) {
      await Promise.all([this.#running, ...this.#answering]);
    }
  }

  async #run(): Promise<void> {
    const { pool, standing } = this.#parts;
    // What arrives in the same turn goes together.
    await nextTurn();
    while (!pool.isEmpty) {
      if (this.#othersWrite) await this.#answered();
      else await this.#gather();
      const batch = pool.take();
      const began = performance.now();
      try {
        const integration = await this.#commit(batch);
        const checkpoint = await this.#publish(integration);
        this.#startAnswering(batch, integration, checkpoint);
        this.#last = { entries: batch.length, began, ended: performance.now() };
      } catch (error) {
        const reason = standing.heed(error);
        for (const waiter of batch) pool.reject(waiter, reason);
        this.#last = undefined;
      }
      if (standing.refusal !== undefined) pool.rejectQueued(new RefusedToSign(standing.refusal));
    }
    this.#running = undefined;
  }

  /** Where other processes write, entries gather while the log's lock is waited for. */
  async #gather(): Promise<void> {
    const milliseconds = gatheringTime(this.#last, this.#parts.pool.waiting, performance.now());
    if (milliseconds > 0) await delay(milliseconds);
  }

  /**
   * Where other processes write, too, the log's lock is waited for, and what was answered meanwhile asks again. It is to
   * be in the batch from the start: latecomers cost a question under the lock, a seventh of the time that it is held.
   */
  async #answered(): Promise<void> {
    await Promise.all(this.#answering);
    await nextTurn();
  }

  /**
   * Commits the batch, once. When the outcome of a commit is not known, the same batch is offered again: under
   * the lock the identities tell whether it is there, so it cannot be there twice, and nothing is guessed.
   */
  async #commit(batch: Waiter[]): Promise<Integration> {
    let doubtful: Integration | undefined;
    const until = performance.now() + this.#parts.doubtMs;
    for (let pause = 10; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      let attempt: Integration | undefined;
      const { signed } = this.#parts.standing;
      try {
        await this.#parts.stored.writer.commit(
          identities(batch),
          (state, known) => (attempt = this.#integrate(state, known, batch, signed)).addition,
          () => (doubtful === undefined ? identities(this.#latecomers(batch)) : []),
        );
        if (attempt === undefined) throw new Error("the store committed without asking what");
        return doubtful === undefined ? attempt : ownKnown(attempt, doubtful);
      } catch (error) {
        if (error instanceof TooFarAhead) {
          await this.#parts.publisher.advance();
          continue;
        }
        if (error instanceof OutcomeUnknown && attempt !== undefined) {
          doubtful = doubtful === undefined ? attempt : ownKnown(attempt, doubtful);
        }
        const passing = doubtful !== undefined && error instanceof Unavailable;
        if (!passing || performance.now() > until) throw error;
        await delay(pause);
      }
    }
  }

  /** Added to the batch. Where they are few, another question about them under the lock costs more than it saves. */
  #latecomers(batch: Waiter[]): readonly Waiter[] {
    const { pool } = this.#parts;
    const before = batch.length;
    if (pool.waiting * LATECOMERS >= before) pool.extend(batch);
    return batch.slice(before);
  }

  #integrate(
    state: TreeState,
    known: readonly (bigint | undefined)[],
    batch: readonly Waiter[],
    signed: TreeHead | undefined,
  ): Integration {
    const { standing, clock, ahead } = this.#parts;
    standing.assertTree(state, signed);
    this.#othersWrite = this.#left !== undefined && this.#left !== state.size;
    const integration = integrate(
      state,
      known,
      batch.map(({ entry }) => entry),
      (last) => clock.stamp(last),
    );
    const unpublished = (integration.growth?.size ?? 0n) - (state.published?.size ?? 0n);
    if (integration.growth !== undefined && unpublished > ahead) throw new TooFarAhead();
    if (integration.addition !== undefined) this.#parts.publisher.prepare(integration.addition.tree);
    this.#left = integration.addition?.tree.size ?? state.size;
    return integration;
  }

  async #publish({ before, addition, growth, covering }: Integration): Promise<PublishedCheckpoint> {
    const { publisher } = this.#parts;
    // Nobody is told so before the anchor says it: a backup of before would take it back.
    if (before.frozen) return await publisher.last();
    if (addition === undefined || growth === undefined) return await publisher.cover(covering);
    return await publisher.publish({ before, tree: addition.tree, growth });
  }

  /** Not awaited: while proofs are made here, PostgreSQL works on the next batch. */
  #startAnswering(batch: readonly Waiter[], integration: Integration, checkpoint: PublishedCheckpoint): void {
    const answering = this.#answer(batch, integration, checkpoint);
    this.#answering.add(answering);
    void answering.finally(() => this.#answering.delete(answering));
  }

  async #answer(batch: readonly Waiter[], integration: Integration, checkpoint: PublishedCheckpoint): Promise<void> {
    // Let the next batch's first statements go out before the processor is busy here.
    await nextTurn();
    const { head } = checkpoint;
    const proofs: BatchProofs = {
      grown: integration.growth?.size === head.size ? new GrownProofs(integration.growth) : undefined,
      read: remembering(this.#parts.tiles.hashes(head.size)),
      climbed: new ClimbedPaths(),
    };
    for (const [at, waiter] of batch.entries()) {
      if (at % ANSWERS_A_TURN === ANSWERS_A_TURN - 1) await nextTurn();
      const placement = integration.placements[at];
      try {
        if (placement === undefined) throw new Error("an entry of the batch has no place");
        // Nothing is waited for where nothing has to be read.
        const found = grown(placement, proofs) ?? (await this.#found(placement, checkpoint, proofs));
        this.#verify(found, checkpoint, proofs.climbed);
        this.#expectIdentity(waiter.entry.identity, found.entry);
        const { entry, proof } = found;
        const duplicate = placement.kind === "known" && !isOwn(placement.planned, entry);
        this.#parts.pool.resolve(waiter, { entry, duplicate, proof, checkpoint });
      } catch (error) {
        this.#parts.pool.reject(waiter, this.#parts.standing.heed(error));
      }
    }
  }

  async #found(placement: Placement, { head }: PublishedCheckpoint, { read }: BatchProofs): Promise<Found> {
    if (placement.kind === "frozen") throw frozenFault(this.#parts.name);
    const entry = placement.kind === "new" ? placement.entry : await this.#read(placement.index);
    const hash = placement.kind === "new" ? placement.leafHash : leafHash(entry.leaf);
    return { entry, leafHash: hash, proof: await inclusionProof(entry.index, head.size, read) };
  }

  /** No answer leaves that its receiver would find wrong. */
  #verify({ proof, leafHash: hash }: Found, { head }: PublishedCheckpoint, climbed: ClimbedPaths): void {
    try {
      verifyInclusion(proof, hash, head, climbed);
    } catch (error) {
      if (!(error instanceof Unverified)) throw error;
      throw this.#parts.standing.refuse(`the stored entry ${proof.index} is not the one in its tree`, error);
    }
  }

  async #read(index: bigint): Promise<LoggedEntry> {
    const [entry] = await this.#parts.stored.reader.entries(index, 1);
    if (entry === undefined) throw this.#parts.standing.refuse(`entry ${index} is missing from its database`);
    return entry;
  }

  /** No hash covers the row that led to it: one that leads elsewhere would acknowledge an entry that was never logged. */
  #expectIdentity(identity: Uint8Array, entry: LoggedEntry): void {
    if (equalBytes(entry.identity, identity)) return;
    const reason = `its database leads from an entry's identity to entry ${entry.index}, which is another`;
    throw this.#parts.standing.refuse(reason);
  }
}

function identities(waiters: readonly Waiter[]): Uint8Array[] {
  return waiters.map(({ entry }) => entry.identity);
}

/** What the proofs of a batch have in common, which is most of them. */
interface BatchProofs {
  /** Undefined where the checkpoint is of another tree than the batch grew. */
  readonly grown: GrownProofs | undefined;
  readonly read: HashReader;
  readonly climbed: ClimbedPaths;
}

/** An entry in its place, and a proof of it that nobody has verified yet. */
interface Found {
  readonly entry: LoggedEntry;
  readonly leafHash: Uint8Array;
  readonly proof: InclusionProof;
}

function grown(placement: Placement, proofs: BatchProofs): Found | undefined {
  if (placement.kind !== "new" || proofs.grown === undefined) return undefined;
  const { entry, leafHash: hash } = placement;
  return { entry, leafHash: hash, proof: proofs.grown.inclusion(entry.index) };
}

/** Committing more would leave the anchor so far behind that a crash looked like a restored backup. */
class TooFarAhead extends Error {}

/** Of a commit in doubt that did happen, what is now known at the place it was to have is ours, not a duplicate. */
function ownKnown(found: Integration, doubtful: Integration): Integration {
  const placements = found.placements.map((placement, at): Placement => {
    if (placement.kind !== "known") return placement;
    const before = doubtful.placements[at];
    const planned = before?.kind === "new" ? before.entry : before?.kind === "known" ? before.planned : undefined;
    return planned?.index === placement.index ? { ...placement, planned } : placement;
  });
  return { ...found, placements };
}

/** Not another process's entry of the same identity, which took the place that a commit that failed was to have. */
function isOwn(planned: LoggedEntry | undefined, entry: LoggedEntry): boolean {
  return planned !== undefined && planned.time === entry.time && equalBytes(planned.leaf, entry.leaf);
}
