import { type Signer, spkiHash } from "@chancery/crypto";
import { countedEntries, encodeBase64, encodeHex, encodePem } from "@chancery/encoding";
import { Malformed, RefusedToSign } from "@chancery/fault";
import {
  type Appended,
  type LoggedEntry,
  type PublishedCheckpoint,
  type SearchKey,
  tileResource,
  type TransparencyLog,
} from "@chancery/log";
import type { InclusionProof } from "@chancery/tlog";
import { encodeEntryId } from "./entry-id.ts";
import { IndexMemory } from "./index-memory.ts";
import { attestationBeside } from "./search/stored-facts.ts";
import { type EntryPromise, signEntryTimestamp } from "./signed-entry-timestamp.ts";
import { type AskedEntry, entryAt, entryOfLeafHash, orDamaged, proveStored } from "./stored-proof.ts";

/** A log of the v1 API, with a tree ID and a key of its own. */
export interface ShardLinks {
  /** Opened with `rekorTreeHeadSigner` of the same tree ID and key. */
  readonly log: TransparencyLog;
  readonly signer: Signer;
  readonly treeId: bigint;
}

/** One that was frozen, and has been followed by another. */
export interface InactiveShard extends ShardLinks {
  /** How many entries it had when it was followed. The indexes of all that came later rest on it. */
  readonly length: bigint;
}

/**
 * Upstream's virtual index: the shards with what the index of their first entry is called, and `next`, that of the shard
 * which follows them. No two entries of a log may ever have one index, so it is added up here alone.
 */
export function placeShards<Inactive extends Pick<InactiveShard, "length">>(inactive: readonly Inactive[]) {
  let next = 0n;
  const placed = inactive.map((shard) => {
    const first = next;
    next += shard.length;
    return { ...shard, first };
  });
  return { placed, next };
}

/** An entry with everything a client needs to verify it offline. */
export interface ProvenEntry {
  readonly entryId: string;
  /** Base64 of the canonical body. */
  readonly body: string;
  /** Seconds since 1970. */
  readonly integratedTime: number;
  readonly logId: string;
  /** Over all shards; the proof has the shard's own. */
  readonly logIndex: number;
  /** Base64. */
  readonly signedEntryTimestamp: string;
  readonly proof: InclusionProof;
  readonly checkpoint: PublishedCheckpoint;
  /** The signed payload, where it was kept. */
  readonly attestation: Uint8Array | undefined;
}

const SEARCH_PAGE = 32;

/** One of the trees that the v1 log is made of. What it tells of an entry is signed with its own key. */
export class Shard {
  readonly treeId: bigint;
  readonly log: TransparencyLog;
  /** The virtual index of its first entry: how many the shards before it have. */
  readonly first: bigint;
  readonly #signer: Signer;
  readonly #logId: string;
  /** Undefined for the shard that grows. */
  readonly #length: bigint | undefined;
  /**
   * A search answers with nothing else, and reading a thousand entries for it, payloads and all, took 1.6 s of CPU for a
   * request of 250 bytes that anyone may repeat.
   */
  readonly #ids = new IndexMemory<string>();
  /** The promise of an entry never changes: signing it again took 47 µs of every read. As text: bytes lie outside of the heap. */
  readonly #timestamps = new IndexMemory<string>();

  constructor({ log, signer, treeId }: ShardLinks, first: bigint, length?: bigint) {
    this.treeId = treeId;
    this.log = log;
    this.first = first;
    this.#signer = signer;
    this.#logId = encodeHex(spkiHash(signer.publicKey));
    this.#length = length;
  }

  /** PEM. */
  get publicKey(): string {
    return encodePem("PUBLIC KEY", this.#signer.publicKey.spki);
  }

  /** Of one that was followed it is held that it has ended where the next one began. */
  async published(): Promise<PublishedCheckpoint> {
    const checkpoint = await this.log.published();
    const reason = this.#otherLength(checkpoint);
    if (reason !== undefined) throw new RefusedToSign(reason);
    return checkpoint;
  }

  /** `index` is the shard's own. */
  async byIndex(index: bigint): Promise<ProvenEntry | undefined> {
    return this.#proveStored(await entryAt(this.log, index));
  }

  async byLeafHash(hash: Uint8Array): Promise<ProvenEntry | undefined> {
    return this.#proveStored(await entryOfLeafHash(this.log, hash));
  }

  /** IDs of entries that have one key of each group, newest first. */
  async search(groups: readonly (readonly SearchKey[])[], limit: number): Promise<string[]> {
    const indexes = await this.log.lookup.newest(groups, limit);
    const ids: string[] = [];
    for (let at = 0; at < indexes.length; at += SEARCH_PAGE) {
      ids.push(...(await this.#idsAt(indexes.slice(at, at + SEARCH_PAGE))));
    }
    return ids;
  }

  /** Hashes from one size of its tree to another, and the tree head that is published now. */
  async consistency(
    from: bigint,
    to: bigint,
  ): Promise<{ readonly hashes: readonly Uint8Array[]; readonly head: PublishedCheckpoint["head"] }> {
    const { head } = await this.published();
    if (to > head.size) {
      throw new Malformed(`the tree size requested(${to}) was greater than what is currently observable(${head.size})`);
    }
    const hashes = from === to ? [] : (await this.log.consistencyProof(from, to)).path;
    return { hashes, head };
  }

  /** Of c2sp.org/tlog-tiles; `path` begins with `tile/`. */
  tileResource(path: string): Promise<Uint8Array> {
    return tileResource(this.log, path);
  }

  /** Of a shard that was followed: why nothing may be signed any more by the log that it is of. It looks anew. */
  async changed(): Promise<string | undefined> {
    if (this.log.state.refusal !== undefined) return this.log.state.refusal;
    if (!this.log.state.frozen) {
      return `log ${this.#name}: it was followed by another shard, and its database says that it takes entries again: freeze it once more (chancery freeze)`;
    }
    return this.#otherLength(await this.log.published());
  }

  async prove({ entry, proof, checkpoint }: Omit<Appended, "duplicate">): Promise<ProvenEntry> {
    const promise = {
      body: encodeBase64(entry.leaf),
      integratedTime: Math.floor(entry.time / 1000),
      logId: this.#logId,
      logIndex: Number(this.first + entry.index),
    };
    return {
      ...promise,
      entryId: this.#idOf(entry),
      signedEntryTimestamp: await this.#timestampOf(entry.index, promise),
      proof,
      checkpoint,
      attestation: attestationBeside(entry.extra),
    };
  }

  get #name(): string {
    return `rekor (tree ${this.treeId})`;
  }

  #otherLength({ head }: PublishedCheckpoint): string | undefined {
    if (this.#length === undefined || head.size === this.#length) return undefined;
    return `log ${this.#name}: it had ${countedEntries(this.#length)} when another shard followed it, and has ${head.size} now: the indexes of all later ones rest on that`;
  }

  /** Without the attestations beside them, of which one may be as large as all else that a page reads. */
  async #idsAt(indexes: readonly bigint[]): Promise<string[]> {
    const ids = new Map(indexes.map((index) => [index, this.#ids.get(index)]));
    const unknown = indexes.filter((index) => ids.get(index) === undefined);
    const { lookup } = this.log;
    const read = unknown.length === 0 ? [] : await orDamaged(this.log, () => lookup.entries(unknown, 0));
    for (const entry of read) ids.set(entry.index, this.#idOf(entry));
    return indexes.flatMap((index) => ids.get(index) ?? []);
  }

  #idOf({ index, identity }: Pick<LoggedEntry, "index" | "identity">): string {
    const known = this.#ids.get(index);
    if (known !== undefined) return known;
    const id = encodeEntryId(this.treeId, identity);
    this.#ids.keep(index, id);
    return id;
  }

  async #timestampOf(index: bigint, promise: EntryPromise): Promise<string> {
    const known = this.#timestamps.get(index);
    if (known !== undefined) return known;
    const timestamp = encodeBase64(await signEntryTimestamp(this.#signer, promise));
    this.#timestamps.keep(index, timestamp);
    return timestamp;
  }

  async #proveStored(stored: AskedEntry | undefined): Promise<ProvenEntry | undefined> {
    if (stored === undefined) return undefined;
    // Asked for after the entry, so that it covers it.
    const checkpoint = await this.published();
    const proof = await proveStored(this.log, stored, checkpoint.head, this.first);
    return this.prove({ entry: stored.entry, proof, checkpoint });
  }
}
