import { Unavailable } from "@chancery/fault";
import type { TileGrowth, TreeHead } from "@chancery/tlog";
import type { LoggedEntry, PublishedCheckpoint } from "./entry.ts";
import type { KeySearch, KeysFound, SearchName } from "./search-key.ts";
import type { SearchKeys } from "./search-keys.ts";

const RETRY_AFTER = 5;

/** Of a tree that was published and is not wholly there: no mistake of who asks. */
export class MissingRows extends Unavailable {
  constructor(message: string) {
    super(message, RETRY_AFTER);
  }
}

/** Whose log it is: told when the log is created and never changed. */
export interface LogKey {
  readonly origin: string;
  readonly keyId: Uint8Array;
}

/** The tree with what the next batch needs of it. */
export interface Tree extends TreeHead {
  /** Hashes of the complete subtrees it consists of, largest first; they MUST hash to `root`. */
  readonly edge: readonly Uint8Array[];
  /** Time of the youngest entry, or of the log's creation. */
  readonly time: number;
}

export interface TreeState extends LogKey, Tree {
  readonly frozen: boolean;
  /** Of the newest published checkpoint; undefined before the first. */
  readonly published: (TreeHead & { readonly time: number }) | undefined;
  /** A sentence why what is committed here might not survive a power cut. */
  readonly volatile: string | undefined;
}

/** A batch in its place: entry `i` has index `tree.size - entries.length + i`. */
export interface Addition {
  readonly entries: readonly PlacedEntry[];
  readonly tiles: readonly TileGrowth[];
  readonly tree: Tree;
}

export interface PlacedEntry {
  readonly identity: Uint8Array;
  readonly leaf: Uint8Array;
  readonly leafHash: Uint8Array;
  /** The form in which the leaf is stored, where it was made and checked before. */
  readonly stored?: Uint8Array | undefined;
  readonly extra: Uint8Array;
  readonly searchKeys: SearchKeys;
  readonly names: readonly SearchName[];
}

/**
 * Decides, while the log is locked, what is added. `known` says for each identity asked about the index
 * it already has. MUST be synchronous in effect: the lock is held meanwhile.
 */
export type Integrate = (state: TreeState, known: readonly (bigint | undefined)[]) => Addition | undefined;

/** Everything that must survive a crash. One contract suite runs against each implementation. */
export interface LogStore {
  find(name: string): Promise<StoredLog | undefined>;
  /** An empty, unpublished log. Of several makers one wins, and all get the winner's. */
  create(name: string, key: LogKey, time: number): Promise<StoredLog>;
}

export interface StoredLog {
  readonly writer: LogWriter;
  readonly reader: LogReader;
  /** The same, for what must be read before it is signed: MUST NOT wait for readers, nor be answered from a replica. */
  readonly unsigned: UnsignedReader;
}

export type UnsignedReader = Pick<LogReader, "entries" | "tiles" | "findIndex">;

/** The one truth. MUST NOT be answered from a replica. */
export interface LogWriter {
  tree(): Promise<TreeState>;
  /**
   * One atomic, durable step, alone on this log among all processes: locks it, looks the identities up, and
   * stores all of the addition or nothing. Before it commits it MUST have found that what is stored of the leaves is what
   * it was given, and that this is read as leaves with these hashes; and advanced the tree by compare-and-swap of size and root.
   *
   * Once it has the lock it MAY ask for more identities, which came while it waited; `known` tells of them after the
   * others.
   *
   * Throws OutcomeUnknown when it cannot tell whether the commit happened.
   */
  commit(identities: readonly Uint8Array[], integrate: Integrate, more?: () => readonly Uint8Array[]): Promise<void>;
  /**
   * Stores the checkpoint if it is newer than what stands there; of the same tree, only if the log is not frozen then.
   * Resolves with the one given if it was stored, else with what stands there.
   */
  publish(checkpoint: PublishedCheckpoint): Promise<PublishedCheckpoint>;
  /** For ever. */
  freeze(): Promise<void>;
}

/** How many of the first entries are older than a time: two numbers where entries between are missing, of whose times nobody knows. */
export interface SizeAt {
  readonly least: bigint;
  readonly most: bigint;
}

/**
 * Reads of what never changes once written, except `published`, which only grows. A directory, an object
 * store or a replica may stand here.
 */
export interface LogReader {
  published(): Promise<PublishedCheckpoint | undefined>;
  /**
   * Up to `count` entries from `start`, without a gap: the first, and as many more as are MOST_READ_BYTES together, leaves
   * and what is kept beside them.
   */
  entries(start: bigint, count: number): Promise<LoggedEntry[]>;
  /** The leaves of up to `count`. MUST NOT read what is kept beside them. */
  leaves(start: bigint, count: number): Promise<Uint8Array[]>;
  /** For each tile, or part of one, the hashes stored so far, concatenated; a later answer only adds to an earlier one. */
  tiles(tiles: readonly TileName[]): Promise<Uint8Array[]>;
  findIndex(by: "identity" | "leaf-hash", hash: Uint8Array): Promise<bigint | undefined>;
  /** Of the first `size` entries, how many are older than each of the times. */
  sizesAt(times: readonly number[], size: bigint): Promise<SizeAt[]>;
  /** Entries at these indexes in this order, those that there are; of what is kept beside them the first `extraBytes`. */
  entriesAt(indexes: readonly bigint[], extraBytes: number): Promise<PartialEntry[]>;
  search(search: KeySearch): Promise<KeysFound>;
  /** Keys of names that begin so, at most `limit`, in the names' order. */
  names(prefix: string, limit: number): Promise<Uint8Array[]>;
  /** How many entries, from the first on, `search` may miss: what they are found by was not written when they were. */
  unindexed(): Promise<bigint>;
}

/** What an answer of `entries` holds. Up to 10 MiB may be kept beside each of them. */
export const MOST_READ_BYTES = 4 * 1024 * 1024;

export interface PartialEntry extends LoggedEntry {
  /** Bytes of the whole `extra`. */
  readonly extraLength: number;
}

export interface TileName {
  readonly level: number;
  readonly index: number;
  /** Of its sixteen parts of sixteen hashes only this one. */
  readonly part?: number;
}

export const PART_WIDTH = 16;
