import { ephemeralSigner, sha256, type Signer } from "@chancery/crypto";
import { utf8 } from "@chancery/encoding";
import { leafHash, noteKeyHash, noteKeyRule, signCheckpoint, type TreeHead, verifyCheckpoint } from "@chancery/tlog";
import { expect } from "vitest";
import { mth } from "../../tlog/test/rfc6962-literal.ts";
import {
  type Anchor,
  type Appended,
  checkLog,
  type LoggedEntry,
  type LogOptions,
  type LogStore,
  MemoryAnchor,
  type NewEntry,
  SEARCH_COLUMNS,
  type SizeAt,
  type SearchKey,
  SearchKeys,
  TransparencyLog,
  type TreeHeadSigner,
} from "../src/index.ts";

/** A real checkpoint signer that remembers all it ever signed: what must be one history. */
export class RememberingSigner implements TreeHeadSigner {
  readonly origin: string;
  readonly keyId: Uint8Array;
  readonly signed: TreeHead[] = [];
  readonly #key: Signer;

  constructor(origin = "log.example", key = ephemeralSigner("ed25519")) {
    this.origin = origin;
    this.#key = key;
    this.keyId = noteKeyHash(noteKeyRule(key.publicKey), origin, key.publicKey);
  }

  async sign(head: TreeHead): Promise<Uint8Array> {
    this.signed.push(head);
    return await signCheckpoint({ origin: this.origin, ...head, extensions: [] }, this.origin, this.#key);
  }

  verify(note: Uint8Array): TreeHead {
    const { size, root } = verifyCheckpoint(note, this.origin, this.#key.publicKey);
    return { size, root };
  }
}

/** As Rekor logs: the leaf does not know its place, and its hash is the identity. */
export function newEntry(text: string | number, searchKeys: readonly string[] = []): NewEntry {
  const leaf = utf8(`entry ${text}`);
  return { identity: leafHash(leaf), leaf: () => leaf, extra: new Uint8Array(), searchKeys: searchKeysOf(searchKeys) };
}

export function searchKeysOf(names: readonly string[]): SearchKeys {
  return SearchKeys.of(names.map(searchKey));
}

/** Spread over the columns by what it is called. */
export function searchKey(name: string): SearchKey {
  const hash = sha256(utf8(name));
  const column = SEARCH_COLUMNS[(hash[31] ?? 0) % SEARCH_COLUMNS.length]!;
  return { column, bytes: hash.subarray(0, column.startsWith("key") ? 16 : 8) };
}

/** As CT logs: the time is in the leaf, and something is kept beside it. */
export function timedEntry(text: string | number): NewEntry {
  const certificate = utf8(`certificate ${text}`);
  return {
    identity: sha256(certificate),
    leaf: ({ time, index }) => utf8(`${time} ${index} ${text}`),
    extra: utf8(`chain of ${text}`),
    searchKeys: SearchKeys.NONE,
  };
}

let worlds = 0;

/** What of a log outlives its process: store, anchor, key. Any number of processes may be started on it. */
export class World {
  readonly name: string;
  readonly store: LogStore;
  readonly anchor: Anchor;
  readonly signer: RememberingSigner;
  readonly acknowledged: Appended[] = [];
  #created = false;

  constructor(parts: {
    name?: string;
    store: LogStore;
    anchor?: Anchor;
    signer?: RememberingSigner;
    created?: boolean;
  }) {
    this.name = parts.name ?? `world-${++worlds}`;
    this.store = parts.store;
    this.anchor = parts.anchor ?? new MemoryAnchor();
    this.signer = parts.signer ?? new RememberingSigner();
    this.#created = parts.created ?? false;
  }

  /** The same log with one of its parts exchanged. */
  with(other: { store?: LogStore; anchor?: Anchor; signer?: RememberingSigner; created?: boolean }): World {
    const { name, store, anchor, signer } = this;
    return new World({ name, store, anchor, signer, created: true, ...other });
  }

  async start(options: Partial<LogOptions> = {}): Promise<TransparencyLog> {
    const { name, store, anchor, signer } = this;
    const log = await TransparencyLog.open({ name, store, anchor, signer, create: !this.#created, ...options });
    this.#created = true;
    return log;
  }

  async append(log: TransparencyLog, entry: NewEntry): Promise<Appended> {
    const appended = await log.append(entry);
    this.acknowledged.push(appended);
    return appended;
  }

  async appendAll(log: TransparencyLog, entries: readonly NewEntry[]): Promise<Appended[]> {
    return await Promise.all(entries.map((entry) => this.append(log, entry)));
  }

  /**
   * The whole truth about a log: its bytes add up, every acknowledged entry is where its client was told, and
   * every tree head that was ever signed is of this one history.
   */
  async check(log: TransparencyLog, size?: number): Promise<void> {
    const checked = await checkLog(log, size === undefined ? undefined : BigInt(size));
    const { head, note } = await log.published();
    expect(this.signer.verify(note)).toEqual(head);
    const logged: LoggedEntry[] = [];
    while (logged.length < checked.size) logged.push(...(await log.entries(BigInt(logged.length), 1024)));
    for (const { entry, checkpoint } of this.acknowledged) {
      expect(logged[Number(entry.index)]).toEqual(entry);
      expect(checkpoint.head.size).toBeGreaterThan(entry.index);
    }
    for (const checkpoint of new Set(this.acknowledged.map((answer) => answer.checkpoint))) {
      expect(this.signer.verify(checkpoint.note)).toEqual(checkpoint.head);
    }
    this.#checkHistory(logged.map(({ leaf }) => leaf));
  }

  #checkHistory(leaves: readonly Uint8Array[]): void {
    const roots = new Map<bigint, Uint8Array>();
    for (const { size, root } of this.signer.signed) {
      expect(size).toBeLessThanOrEqual(BigInt(leaves.length));
      const expected = roots.get(size) ?? mth(leaves.slice(0, Number(size)));
      roots.set(size, expected);
      expect(root).toEqual(expected);
    }
  }
}

export const range = (count: number, from = 0) => Array.from({ length: count }, (_, at) => from + at);

/** Entries named by their numbers. */
export const newEntries = (count: number, from = 0) => range(count, from).map((name) => newEntry(name));

/** Sizes of a log of which no entry is missing. */
export function exactly(...sizes: bigint[]): SizeAt[] {
  return sizes.map((size) => ({ least: size, most: size }));
}
