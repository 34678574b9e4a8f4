import { type Signer, spkiHash } from "@chancery/crypto";
import { encodeBase64, encodeHex, encodePem } from "@chancery/encoding";
import { Malformed, RefusedToSign } from "@chancery/fault";
import type { Caller } from "@chancery/identity";
import {
  type Appended,
  type LoggedEntry,
  type PublishedCheckpoint,
  tileResource,
  type TransparencyLog,
} from "@chancery/log";
import { type InclusionProof, leafHash, verifyInclusion } from "@chancery/tlog";
import { Admission } from "./admission.ts";
import { bodyOf, parseEntry } from "./entries/entry-kinds.ts";
import type { ProposedEntry } from "./entries/entry-kind.ts";
import { encodeEntryId, parseEntryId } from "./entry-id.ts";
import { IndexMemory } from "./index-memory.ts";
import { newEntryOf } from "./search/new-entry.ts";
import { attestationBeside } from "./search/stored-facts.ts";
import { askedKeys } from "./search-key.ts";
import { type EntryPromise, signEntryTimestamp } from "./signed-entry-timestamp.ts";
import type { RekorIdentity } from "./tree-head-signer.ts";
import { Turns } from "./turns.ts";
import { assertKeyAllowed, assertKindEnabled, DEFAULT_ATTESTATION_BYTES, type WritePolicy } from "./write-policy.ts";

/** An entry with everything a client needs to verify it offline. */
export interface ProvenEntry {
  readonly entryId: string;
  /** Base64 of the canonical body. */
  readonly body: string;
  /** Seconds since 1970. */
  readonly integratedTime: number;
  readonly logId: string;
  readonly logIndex: number;
  readonly signedEntryTimestamp: Uint8Array;
  readonly proof: InclusionProof;
  readonly checkpoint: PublishedCheckpoint;
  /** The signed payload, where it was kept. */
  readonly attestation: Uint8Array | undefined;
}

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

const SEARCH_PAGE = 32;

/** Rekor's v1 log: what the API does, in the log's own terms. */
export class RekorLog {
  readonly #log: TransparencyLog;
  readonly #signer: Signer;
  readonly #treeId: bigint;
  readonly #logId: string;
  readonly #searchLimit: number;
  readonly #policy: WritePolicy;
  readonly #admission: Admission;
  readonly #turns = new Turns();
  /**
   * A search answers with nothing else, and reading a thousand entries for it, payloads and all, took 1.6 s of CPU for a
   * request of 250 bytes that anyone may repeat.
   */
  readonly #ids = new IndexMemory<string>();
  /** The promise of an entry never changes: signing it again took 47 µs of every read. */
  readonly #timestamps = new IndexMemory<Uint8Array>();

  constructor(
    identity: RekorIdentity & WritePolicy,
    links: { readonly log: TransparencyLog; readonly signer: Signer },
    limits: { readonly searchResults?: number } = {},
  ) {
    this.#log = links.log;
    this.#signer = links.signer;
    this.#treeId = identity.treeId;
    this.#policy = identity;
    this.#admission = new Admission(identity.admission);
    this.#logId = encodeHex(spkiHash(links.signer.publicKey));
    this.#searchLimit = limits.searchResults ?? 1_000;
  }

  /**
   * Verifies and logs a proposal, which is read only for a caller who may write. It is answered once a signed and
   * published tree head covers it.
   */
  async create(caller: Caller, read: () => ProposedEntry): Promise<CreatedEntry> {
    await this.#admission.assertCaller(caller);
    await this.#turns.next();
    const proposed = read();
    assertKindEnabled(proposed.kind, this.#policy);
    const parsed = await parseEntry(proposed);
    assertKeyAllowed(parsed.keyAlgorithm, this.#policy, "spec.signature.publicKey.content");
    this.#admission.assertSigners(parsed.signers);
    const longest = this.#policy.attestationBytes ?? DEFAULT_ATTESTATION_BYTES;
    const appended = await this.#log.append(newEntryOf(parsed, longest));
    return { entry: await this.#prove(appended), duplicate: appended.duplicate };
  }

  /** The entry at a virtual index: there is one shard, so it is the tree's own. */
  async byIndex(index: bigint): Promise<ProvenEntry | undefined> {
    return this.#proveStored(await this.#log.entry(index));
  }

  /** The entry of a UUID or a full entry ID. An ID of another tree is not in this log. */
  async byId(text: string): Promise<ProvenEntry | undefined> {
    const { treeId, leafHash: hash } = parseEntryId(text);
    if (treeId !== undefined && treeId !== this.#treeId) return undefined;
    return this.#byLeafHash(hash);
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
    const found = await Promise.all([
      ...whole.map((id) => this.byId(id)),
      ...bare.map((id) => this.byId(id)),
      ...bodies.map((body) => this.#byLeafHash(leafHash(body))),
      ...indexes.map((index) => this.byIndex(index)),
    ]);
    return found.filter((entry) => entry !== undefined);
  }

  /** IDs of the entries that are found by any, or by all, of the texts; newest first. */
  async search(texts: readonly string[], operator: "or" | "and"): Promise<string[]> {
    if (texts.length === 0) return [];
    const keys = texts.map(askedKeys);
    const groups = operator === "or" ? [keys.flat()] : keys;
    const indexes = await this.#log.lookup.newest(groups, this.#searchLimit);
    const ids: string[] = [];
    // A page at a time: an entry may have its attestation beside it.
    for (let at = 0; at < indexes.length; at += SEARCH_PAGE) {
      const page = await Promise.all(indexes.slice(at, at + SEARCH_PAGE).map((index) => this.#idAt(index)));
      ids.push(...page.filter((id) => id !== undefined));
    }
    return ids;
  }

  treeHead(): Promise<PublishedCheckpoint> {
    return this.#log.published();
  }

  /** Hashes from one tree size to another, and the tree head that is published now. */
  async consistency(
    from: bigint,
    to: bigint,
    treeId: bigint | undefined,
  ): Promise<{ readonly hashes: readonly Uint8Array[]; readonly head: PublishedCheckpoint["head"] }> {
    if (from > to) throw new Malformed(`firstSize(${from}) must be less than lastSize(${to})`);
    this.#checkTree(treeId);
    const { head } = await this.#log.published();
    if (to > head.size) {
      throw new Malformed(`the tree size requested(${to}) was greater than what is currently observable(${head.size})`);
    }
    const hashes = from === to ? [] : (await this.#log.consistencyProof(from, to)).path;
    return { hashes, head };
  }

  /** The log's own key, PEM. */
  publicKeyPem(treeId: bigint | undefined): string {
    this.#checkTree(treeId);
    return encodePem("PUBLIC KEY", this.#signer.publicKey.spki);
  }

  /** Of c2sp.org/tlog-tiles; `path` begins with `tile/`. */
  tileResource(path: string): Promise<Uint8Array> {
    return tileResource(this.#log, path);
  }

  get treeId(): bigint {
    return this.#treeId;
  }

  readiness(): Promise<string | undefined> {
    return this.#log.readiness();
  }

  warning(): string | undefined {
    return this.#log.warning();
  }

  #checkTree(treeId: bigint | undefined): void {
    if (treeId !== undefined && treeId !== this.#treeId)
      throw new Malformed(`treeID: ${treeId} is not a tree of this log`);
  }

  async #idAt(index: bigint): Promise<string | undefined> {
    const known = this.#ids.get(index);
    if (known !== undefined) return known;
    const entry = await this.#log.entry(index);
    return entry && this.#idOf(entry);
  }

  #idOf({ index, identity }: LoggedEntry): string {
    const id = this.#ids.get(index) ?? encodeEntryId(this.#treeId, identity);
    this.#ids.keep(index, id);
    return id;
  }

  async #timestampOf(index: bigint, promise: EntryPromise): Promise<Uint8Array> {
    const timestamp = this.#timestamps.get(index) ?? (await signEntryTimestamp(this.#signer, promise));
    this.#timestamps.keep(index, timestamp);
    return timestamp;
  }

  async #byLeafHash(hash: Uint8Array): Promise<ProvenEntry | undefined> {
    return this.#proveStored(await this.#log.findIdentity(hash));
  }

  async #proveStored(entry: LoggedEntry | undefined): Promise<ProvenEntry | undefined> {
    if (entry === undefined) return undefined;
    // Asked for after the entry, so that it covers it.
    const checkpoint = await this.#log.published();
    const proof = await this.#log.inclusionProof(entry.index, checkpoint.head.size);
    expectIncluded(entry, proof, checkpoint);
    return this.#prove({ entry, proof, checkpoint });
  }

  async #prove({ entry, proof, checkpoint }: Omit<Appended, "duplicate">): Promise<ProvenEntry> {
    const promise = {
      body: encodeBase64(entry.leaf),
      integratedTime: Math.floor(entry.time / 1000),
      logId: this.#logId,
      logIndex: Number(entry.index),
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
}

/** Nothing read from the database is signed, as an entry's timestamp, unless it is in the tree that was published. */
function expectIncluded(entry: LoggedEntry, proof: InclusionProof, { head }: PublishedCheckpoint): void {
  try {
    verifyInclusion(proof, leafHash(entry.leaf), head);
  } catch (cause) {
    throw new RefusedToSign(`the stored entry ${entry.index} is not the one in its tree`, { cause });
  }
}
