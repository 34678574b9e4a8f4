import { countedEntries } from "@chancery/encoding";
import { Malformed, RefusedToSign, Unavailable } from "@chancery/fault";
import {
  type ConsistencyProof,
  consistencyProof,
  encodeEntryBundle,
  type InclusionProof,
  TILE_WIDTH,
  tileWidth,
} from "@chancery/tlog";
import { absentLog } from "./absent-log.ts";
import { type Anchor, isFrozen } from "./anchor.ts";
import { AnchoredSigner } from "./anchored-signer.ts";
import {
  type Appended,
  type LoggedEntry,
  type NewEntry,
  type PublishedCheckpoint,
  type TreeHeadSigner,
} from "./entry.ts";
import { Deadlines } from "./deadlines.ts";
import { type Failpoint, noFailpoint } from "./failpoint.ts";
import { LogClock } from "./log-clock.ts";
import { frozenFault, Pool, type PoolLimits } from "./pool.ts";
import { PublishedReads } from "./published-reads.ts";
import { isPublished, Publisher } from "./publisher.ts";
import { Lookup } from "./lookup.ts";
import { noSuchLog } from "./no-such-log.ts";
import { assertSearchNames } from "./search-key.ts";
import { Sequencer } from "./sequencer.ts";
import { MOST_AHEAD, NEWER_DATABASE, Standing } from "./standing.ts";
import { type LogKey, type LogStore, MissingRows, type StoredLog } from "./store.ts";
import { TileReads } from "./tile-reads.ts";

export interface LogOptions {
  readonly name: string;
  readonly store: LogStore;
  readonly anchor: Anchor;
  readonly signer: TreeHeadSigner;
  /**
   * Makes the log if neither database nor anchor has ever heard of it. Only the very first start of an
   * installation sets it: a database that lost its log must not get a new one under the old key.
   */
  readonly create?: boolean;
  /** Of a log that is created: no entry has an earlier time, whatever this machine's clock says. Milliseconds since 1970. */
  readonly since?: number;
  readonly clock?: () => number;
  /** Milliseconds since any one moment, by a clock that nobody can set; that of the machine's start if not given. */
  readonly elapsed?: () => number;
  readonly limits?: Partial<LogLimits>;
  readonly failpoint?: Failpoint;
}

export interface LogLimits extends PoolLimits {
  /** Entries the database may be ahead of the anchor. More than a crash leaves means a restored anchor. */
  readonly ahead: number;
  /** How long the outcome of a commit is asked for before its callers are told to ask again themselves. */
  readonly doubtMs: number;
  /** How long a caller waits, whatever hangs: its turn, the database at any step, the anchor. */
  readonly answerMs: number;
}

const DEFAULT_LIMITS: LogLimits = {
  entries: 4096,
  bytes: 64 * 1024 * 1024,
  batchEntries: 1024,
  batchBytes: 16 * 1024 * 1024,
  ahead: Number(MOST_AHEAD),
  doubtMs: 15_000,
  answerMs: 15_000,
};

const IDENTITY_BYTES = 32;
const LARGEST_READ = 1024;

/** An append-only log in a Merkle tree: appends through the sequencer, reads up to what is published. */
export class TransparencyLog {
  readonly #name: string;
  readonly #stored: StoredLog;
  readonly #signer: AnchoredSigner;
  readonly #standing: Standing;
  readonly #tiles: TileReads;
  readonly #publisher: Publisher;
  readonly #reads: PublishedReads;
  readonly #sequencer: Sequencer;
  readonly #clock: LogClock;
  readonly #lookup: Lookup;
  readonly #deadlines: Deadlines;
  readonly #failpoint: Failpoint;
  #frozen = false;
  #closed = false;

  private constructor(options: LogOptions, stored: StoredLog, signer: AnchoredSigner, standing: Standing) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const failpoint = options.failpoint ?? noFailpoint;
    const tiles = new TileReads(stored.reader);
    const publisher = new Publisher({ stored, signer, standing, failpoint });
    this.#name = options.name;
    const late = () => new Unavailable(`log ${options.name}: has no answer yet: the entry may be logged, or not`, 5);
    this.#deadlines = new Deadlines(limits.answerMs, late);
    this.#failpoint = failpoint;
    this.#stored = stored;
    this.#signer = signer;
    this.#standing = standing;
    this.#tiles = tiles;
    this.#publisher = publisher;
    const examine = () => this.readiness();
    this.#reads = new PublishedReads({ name: options.name, publisher, standing, signer, examine });
    this.#lookup = new Lookup(stored.reader, {
      size: () => this.#reads.size(),
      expectPublished: (size) => this.#expectPublished(size),
    });
    this.#clock = new LogClock(options.clock ?? Date.now, options.elapsed);
    this.#sequencer = new Sequencer({
      name: options.name,
      pool: new Pool(limits),
      stored,
      publisher,
      standing,
      tiles,
      clock: this.#clock,
      ahead: BigInt(limits.ahead),
      doubtMs: limits.doubtMs,
    });
  }

  /**
   * Opens the log and finishes what a crash left between commit and publication. What could become a fork
   * does not stop it from opening: it then serves reads, signs nothing, and `readiness` says why.
   */
  static async open(options: LogOptions): Promise<TransparencyLog> {
    const signer = new AnchoredSigner(options.signer, options.anchor);
    const standing = new Standing(options.name, signer, BigInt(options.limits?.ahead ?? DEFAULT_LIMITS.ahead));
    const stored = await findOrCreate(options, signer, standing);
    const log = new TransparencyLog(options, stored, signer, standing);
    if (standing.refusal === undefined) await log.#recover(options.create === true);
    return log;
  }

  async #recover(create: boolean): Promise<void> {
    let frozen = false;
    try {
      const state = await this.#stored.writer.tree();
      frozen = state.frozen;
      if (create && state.size === 0n && state.published === undefined) {
        this.#standing.assertTree(state, this.#standing.signed);
        const first = await this.#signer.signFirst(state.time);
        if (first !== undefined) this.#publisher.note(await this.#stored.writer.publish(first));
      }
      const { time } = await this.#publisher.advance();
      // What jumps from now on is seen.
      this.#clock.doubt(time);
    } catch (error) {
      if (!(error instanceof RefusedToSign)) throw error;
      this.#standing.heed(error);
    }
    this.#frozen = frozen;
  }

  /**
   * Resolves once the entry is committed and a published checkpoint covers it, with a proof that was verified.
   * Throws Pushback, Frozen, Unavailable (ask again: it may or may not be logged by then) or RefusedToSign.
   */
  async append(entry: NewEntry): Promise<Appended> {
    this.#standing.assert();
    if (this.#frozen) throw frozenFault(this.#name);
    if (this.#closed) throw new Unavailable(`log ${this.#name} is closing`, 5);
    if (entry.identity.length !== IDENTITY_BYTES) throw new Malformed(`identity: is not ${IDENTITY_BYTES} bytes`);
    if (entry.names !== undefined) assertSearchNames(entry.names);
    return await this.#deadlines.within(this.#sequencer.append(entry));
  }

  /** The newest checkpoint. While refused, only if it is the last one signed: never an older one, as if nothing had been. */
  async published(): Promise<PublishedCheckpoint> {
    return await this.#reads.checkpoint();
  }

  async entry(index: bigint): Promise<LoggedEntry | undefined> {
    if (index < 0n || index >= (await this.#reads.sizeAbove(index))) return undefined;
    return (await this.#read(index, 1))[0];
  }

  /** At most 1,024 entries from `start` and 4 MiB, one at least; fewer where the published tree ends. */
  async entries(start: bigint, count: number): Promise<LoggedEntry[]> {
    if (start < 0n || count < 1) return [];
    const last = start + BigInt(Math.min(count, LARGEST_READ)) - 1n;
    const size = await this.#reads.sizeAbove(last);
    if (start >= size) return [];
    const end = last < size ? last + 1n : size;
    return await this.#read(start, Number(end - start));
  }

  async findIdentity(identity: Uint8Array): Promise<LoggedEntry | undefined> {
    const index = await this.#stored.reader.findIndex("identity", identity);
    return index === undefined ? undefined : await this.entry(index);
  }

  async findLeafHash(hash: Uint8Array): Promise<LoggedEntry | undefined> {
    const index = await this.#stored.reader.findIndex("leaf-hash", hash);
    return index === undefined ? undefined : await this.entry(index);
  }

  get key(): LogKey {
    return this.#signer.key;
  }
  /** As last seen: `readiness` looks anew. */
  get state(): { readonly frozen: boolean; readonly refusal: string | undefined } {
    return { frozen: this.#frozen, refusal: this.#standing.refusal };
  }
  /** Looks keys up, and what is found, in the published tree. */
  get lookup(): Lookup {
    return this.#lookup;
  }

  async inclusionProof(index: bigint, size: bigint): Promise<InclusionProof> {
    await this.#expectPublished(size);
    return await this.#tiles.inclusionProof(index, size);
  }

  async consistencyProof(from: bigint, to: bigint): Promise<ConsistencyProof> {
    await this.#expectPublished(to);
    return await consistencyProof(from, to, this.#tiles.hashes(to));
  }

  /** Undefined unless a published tree has the tile at this width or wider. */
  async tile(level: number, index: number, width: number): Promise<Uint8Array | undefined> {
    if (!(await this.#hasTile(level, index, width))) return undefined;
    return await this.#tiles.tile({ level, index, width });
  }

  /** The same for the leaves themselves. c2sp.org/tlog-tiles, "Log Entries". */
  async entryBundle(index: number, width: number): Promise<Uint8Array | undefined> {
    if (!(await this.#hasTile(0, index, width))) return undefined;
    const start = BigInt(index) * BigInt(TILE_WIDTH);
    const leaves = await this.#stored.reader.leaves(start, width);
    if (leaves.length < width) throw this.#lost(start + BigInt(leaves.length));
    return encodeEntryBundle(leaves);
  }

  /**
   * Undefined when it can append, or is frozen and can be read: that is no fault, and an orchestrator that took it for one
   * would take the readers away. Else one sentence. It looks at anchor and database anew each time.
   */
  async readiness(): Promise<string | undefined> {
    if (this.#standing.refusal !== undefined) return this.#standing.refusal;
    if (this.#closed) return `log ${this.#name}: is closing`;
    try {
      const { anchored, state } = await this.#standing.examine(this.#stored.writer);
      if (state.frozen && !isFrozen(anchored)) await this.#publisher.advance();
      this.#frozen ||= state.frozen;
      // A power cut takes a publication back, and who published it may never come again.
      const published = state.published?.size ?? -1n;
      if (published < anchored.size) await this.#publisher.cover(anchored.size);
      // Committed and not signed: by a process on its way, or for want of an anchor that can be written.
      else if (state.size > anchored.size) await this.#publisher.cover(state.size);
      else if (published === state.size && !isPublished(state, anchored)) await this.#publisher.advance();
      if (this.#frozen) return undefined;
      const doubt = this.#clock.doubt(Math.max(state.time, anchored.time));
      return doubt && `log ${this.#name}: ${doubt}`;
    } catch (error) {
      if (error instanceof RefusedToSign) this.#standing.heed(error);
      if (this.#standing.refusal !== undefined) return this.#standing.refusal;
      return `log ${this.#name}: ${error instanceof Unavailable ? error.message : "cannot be examined"}`;
    }
  }

  /**
   * Signs the newest tree head again if it was signed `maxAge` ago, so that those who watch an idle log see that it
   * lives; resolves with whether it did. Nothing grows by it. A frozen log's last checkpoint stays as it is.
   */
  async renew(maxAge: number): Promise<boolean> {
    this.#standing.assert();
    const { time } = await this.#reads.anew();
    if (this.#frozen || this.#closed || this.#clock.age(time) < maxAge) return false;
    // Asked twice: another process may have signed it since.
    const stamp = (last: number) => (this.#clock.age(last) < maxAge ? undefined : this.#clock.stamp(last));
    return (await this.#publisher.renew(stamp)) !== undefined;
  }

  /** A sentence on what is as it should be and still to be known. */
  warning(): string | undefined {
    return this.#frozen ? `log ${this.#name}: is frozen: it is read, and takes no more entries` : undefined;
  }

  /**
   * For ever: entries under way before it are logged or told that it is frozen. Its last checkpoint stays. Once it is in
   * the database nothing more is committed by any process; what was is published, and then it is in the anchor, too.
   */
  async freeze(): Promise<void> {
    this.#standing.assert();
    await this.#stored.writer.freeze();
    await this.#failpoint("frozen");
    await this.#publisher.advance();
    this.#frozen = true;
    await this.#sequencer.idle();
  }

  /** Takes no more entries and resolves when those under way are answered. Store and anchor are the caller's. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#sequencer.idle();
  }

  /** Entries of the published tree, up to as many bytes as are read at a time: the next one is there. */
  async #read(start: bigint, count: number): Promise<LoggedEntry[]> {
    const entries = await this.#stored.reader.entries(start, count);
    if (entries.length === count) return entries;
    const next = start + BigInt(entries.length);
    if (entries.length === 0 || (await this.#stored.reader.leaves(next, 1)).length === 0) throw this.#lost(next);
    return entries;
  }

  #lost(index: bigint): MissingRows {
    return new MissingRows(`log ${this.#name}: entry ${index} was published and is not in the database`);
  }

  async #expectPublished(size: bigint): Promise<void> {
    if (size < 0n || size > (await this.#reads.sizeAbove(size - 1n))) {
      throw new Malformed(`tree size: the log has not published a tree of ${countedEntries(size)}`);
    }
  }

  async #hasTile(level: number, index: number, width: number): Promise<boolean> {
    if (!Number.isSafeInteger(level) || !Number.isSafeInteger(index) || !Number.isSafeInteger(width)) return false;
    if (level < 0 || level > 7 || index < 0 || width < 1 || width > TILE_WIDTH) return false;
    const last = ((BigInt(index) * BigInt(TILE_WIDTH) + BigInt(width)) << BigInt(8 * level)) - 1n;
    return tileWidth(level, index, await this.#reads.sizeAbove(last)) >= width;
  }
}

async function findOrCreate(options: LogOptions, signer: AnchoredSigner, standing: Standing): Promise<StoredLog> {
  const stored = await options.store.find(options.name);
  if (stored !== undefined) return stored;
  try {
    const anchored = await signer.readAnchor();
    if (anchored !== undefined) {
      standing.refuse(
        `it is not in the database, and its anchor says that a tree of ${countedEntries(anchored.size)} was signed; ${NEWER_DATABASE}`,
      );
      return absentLog();
    }
  } catch (error) {
    if (!(error instanceof RefusedToSign)) throw error;
    standing.heed(error);
    return absentLog();
  }
  if (options.create !== true) {
    throw noSuchLog(options.name, ", and a log is made only on a first start");
  }
  const now = (options.clock ?? Date.now)();
  return await options.store.create(options.name, signer.key, Math.max(now, options.since ?? now));
}
