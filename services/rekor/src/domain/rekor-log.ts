import { Malformed, RefusedToSign, Unavailable } from "@chancery/fault";
import type { Caller } from "@chancery/identity";
import type { NewEntry, PublishedCheckpoint } from "@chancery/log";
import { leafHash } from "@chancery/tlog";
import { Admission } from "./admission.ts";
import { bodyOf } from "./entries/entry-kinds.ts";
import type { ProposedEntry } from "./entries/entry-kind.ts";
import { parseEntryId } from "./entry-id.ts";
import { askedKeys } from "./search-key.ts";
import { type InactiveShard, placeShards, type ProvenEntry, Shard, type ShardLinks } from "./shard.ts";
import type { RekorIdentity } from "./tree-head-signer.ts";
import { Turns } from "./turns.ts";
import type { WritePolicy } from "./write-policy.ts";

export type { InactiveShard, ProvenEntry } from "./shard.ts";

export interface CreatedEntry {
  readonly entry: ProvenEntry;
  /** The log had it before, at the place that `entry` tells. */
  readonly duplicate: boolean;
}

/** What to look up, in the order of the answer: by full ID, then by leaf hash, by proposal, by index. */
export interface EntryQuery {
  readonly entryIds: readonly string[];
  readonly proposals: readonly ProposedEntry[];
  readonly indexes: readonly bigint[];
}

export interface RekorLogLinks extends Omit<ShardLinks, "treeId"> {
  /** Those that were frozen and followed, oldest first; none in most installations. */
  readonly inactive?: readonly InactiveShard[];
}

/** A tree's published head, by the tree's ID. */
export interface ShardHead extends PublishedCheckpoint {
  readonly treeId: bigint;
}

/**
 * Rekor's v1 log: what the API does, in the log's own terms. It is made of shards, of which the newest grows. An entry's
 * index goes on from shard to shard, so that it counts those of all before; everything else of an entry is its shard's own.
 */
export class RekorLog {
  readonly #active: Shard;
  /** Oldest first. */
  readonly #inactive: readonly Shard[];
  readonly #searchLimit: number;
  readonly #admission: Admission;
  readonly #turns = new Turns();
  /** Whether the shards that indexes rest on were found as they were when they were followed. */
  #looked: boolean;
  #refusal: string | undefined;

  constructor(
    identity: RekorIdentity & WritePolicy,
    { inactive = [], ...links }: RekorLogLinks,
    limits: { readonly searchResults?: number } = {},
  ) {
    const { placed, next } = placeShards(inactive);
    this.#inactive = placed.map((shard) => new Shard(shard, shard.first, shard.length));
    this.#active = new Shard({ ...links, treeId: identity.treeId }, next);
    this.#looked = inactive.length === 0;
    this.#admission = new Admission(identity.admission);
    this.#searchLimit = limits.searchResults ?? 1_000;
  }

  /**
   * Logs what was proposed, which is judged only for a caller who may write. It is answered once a signed and published
   * tree head covers it.
   */
  async create(caller: Caller, judge: () => Promise<NewEntry>): Promise<CreatedEntry> {
    if (!this.#looked || this.#refusal !== undefined) await this.#assertWhole();
    await this.#admission.assertCaller(caller);
    // As upstream, whose tree is asked alone: an equal entry in a shard of before does not stop this one.
    const appended = await this.#active.log.append(await judge());
    return { entry: await this.#active.prove(appended), duplicate: appended.duplicate };
  }

  /** The entry at a virtual index. */
  async byIndex(index: bigint): Promise<ProvenEntry | undefined> {
    const shard = [...this.#inactive, this.#active].findLast(({ first }) => first <= index);
    return await shard?.byIndex(index - shard.first);
  }

  /** The entry of a UUID, which all shards are asked for, the newest first; or of a full entry ID, in the shard of its tree. */
  async byId(text: string): Promise<ProvenEntry | undefined> {
    const { treeId, leafHash: hash } = parseEntryId(text);
    if (treeId !== undefined) return await this.#shard(treeId)?.byLeafHash(hash);
    for (const shard of this.#askedInTurn()) {
      const found = await shard.byLeafHash(hash);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Misses are left out. What a write would cost, to verify a proposal, is for a caller who may write. */
  async retrieve(caller: Caller, { entryIds, proposals, indexes }: EntryQuery): Promise<ProvenEntry[]> {
    if (proposals.length > 0) await this.#admission.assertCaller(caller);
    const [whole, bare] = [entryIds.filter((id) => id.length !== 64), entryIds.filter((id) => id.length === 64)];
    // All proposals are judged before the first look-up: one bad proposal refuses the request.
    const bodies: Uint8Array[] = [];
    for (const proposal of proposals) {
      await this.#turns.next();
      bodies.push(await bodyOf(proposal));
    }
    const hashes = [...bare.map((id) => parseEntryId(id).leafHash), ...bodies.map((body) => leafHash(body))];
    // As upstream, of each shard that has it: equal entries of two are two.
    const shards = this.#askedInTurn();
    const found = await Promise.all([
      ...whole.map((id) => this.byId(id)),
      ...hashes.flatMap((hash) => shards.map((shard) => shard.byLeafHash(hash))),
      ...indexes.map((index) => this.byIndex(index)),
    ]);
    return found.filter((entry) => entry !== undefined);
  }

  /** IDs of the entries that are found by any, or by all, of the texts; newest first. */
  async search(texts: readonly string[], operator: "or" | "and"): Promise<string[]> {
    if (texts.length === 0) return [];
    const keys = texts.map(askedKeys);
    const groups = operator === "or" ? [keys.flat()] : keys;
    const ids: string[] = [];
    for (const shard of [this.#active, ...this.#inactive.toReversed()]) {
      if (ids.length >= this.#searchLimit) break;
      ids.push(...(await shard.search(groups, this.#searchLimit - ids.length)));
    }
    return ids;
  }

  treeHead(treeId: bigint | undefined): Promise<PublishedCheckpoint> {
    return this.#expectShard(treeId).published();
  }

  /** Oldest first; the last one grows. */
  shards(): readonly Pick<Shard, "treeId" | "first">[] {
    return [...this.#inactive, this.#active];
  }

  /** Of the shards before the one that grows, oldest first. */
  async inactiveHeads(): Promise<ShardHead[]> {
    return await Promise.all(
      this.#inactive.map(async (shard) => ({ ...(await shard.published()), treeId: shard.treeId })),
    );
  }

  /** Hashes from one size of a tree to another, and its tree head that is published now. */
  async consistency(from: bigint, to: bigint, treeId: bigint | undefined): ReturnType<Shard["consistency"]> {
    if (from > to) throw new Malformed(`firstSize(${from}) must be less than lastSize(${to})`);
    return await this.#expectShard(treeId).consistency(from, to);
  }

  /** A tree's own key, PEM. */
  publicKeyPem(treeId: bigint | undefined): string {
    return this.#expectShard(treeId).publicKey;
  }

  /** Of c2sp.org/tlog-tiles; `path` begins with `tile/`. */
  tileResource(path: string, treeId: bigint | undefined): Promise<Uint8Array> {
    return this.#expectShard(treeId).tileResource(path);
  }

  /** Of the shard that grows. */
  get treeId(): bigint {
    return this.#active.treeId;
  }

  /** Looks at every shard anew. What it finds changed in one that indexes rest on ends writing until the next start. */
  async readiness(): Promise<string | undefined> {
    for (const shard of this.#inactive) {
      const reason = await shard.log.readiness();
      if (shard.log.state.refusal === undefined && reason !== undefined) return reason;
      try {
        this.#refusal ??= await shard.changed();
      } catch (error) {
        if (error instanceof Unavailable) return error.message;
        throw error;
      }
    }
    this.#looked = true;
    return this.#refusal ?? (await this.#active.log.readiness());
  }

  warning(): string | undefined {
    return this.#active.log.warning();
  }

  /** Two entries must never be given one index, whatever was done to a shard that others rest on. */
  async #assertWhole(): Promise<void> {
    if (!this.#looked) await this.readiness();
    if (this.#refusal !== undefined) throw new RefusedToSign(this.#refusal);
    if (!this.#looked) throw new Unavailable("log rekor: its older shards cannot be looked at", 1);
  }

  /** As upstream asks for what may be in any of them. */
  #askedInTurn(): readonly Shard[] {
    return [this.#active, ...this.#inactive];
  }

  #shard(treeId: bigint): Shard | undefined {
    return this.#askedInTurn().find((shard) => shard.treeId === treeId);
  }

  #expectShard(treeId: bigint | undefined): Shard {
    const shard = treeId === undefined ? this.#active : this.#shard(treeId);
    if (shard === undefined) throw new Malformed(`treeID: ${treeId} is not a tree of this log`);
    return shard;
  }
}
