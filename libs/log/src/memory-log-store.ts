import { concatBytes, encodeHex, equalBytes } from "@chancery/encoding";
import { EMPTY_ROOT, HASH_SIZE, leafHash } from "@chancery/tlog";
import { isNewer, type LoggedEntry, type PublishedCheckpoint } from "./entry.ts";
import type { KeySearch, KeysFound, SearchKey, SearchName } from "./search-key.ts";
import {
  type Addition,
  type Integrate,
  type LogKey,
  type LogReader,
  type LogStore,
  type LogWriter,
  MOST_READ_BYTES,
  PART_WIDTH,
  type PartialEntry,
  type SizeAt,
  type PlacedEntry,
  type StoredLog,
  type TileName,
  type Tree,
  type TreeState,
} from "./store.ts";

/** Keeps logs as long as the process lives. For tests, and the plainest reading of the store's contract. */
export class MemoryLogStore implements LogStore {
  readonly #logs = new Map<string, MemoryLog>();

  async find(name: string): Promise<StoredLog | undefined> {
    return handle(this.#logs.get(name));
  }

  async create(name: string, key: LogKey, time: number): Promise<StoredLog> {
    const log = this.#logs.get(name) ?? new MemoryLog(key, time);
    this.#logs.set(name, log);
    return { writer: log, reader: log, unsigned: log };
  }
}

function handle(log: MemoryLog | undefined): StoredLog | undefined {
  return log && { writer: log, reader: log, unsigned: log };
}

class MemoryLog implements LogWriter, LogReader {
  readonly #key: LogKey;
  readonly #entries: LoggedEntry[] = [];
  readonly #tiles = new Map<string, Uint8Array>();
  readonly #identities = new Map<string, bigint>();
  readonly #leafHashes = new Map<string, bigint>();
  readonly #searchKeys = new Map<string, Set<bigint>>();
  readonly #names = new Map<string, SearchName>();
  #tree: Tree;
  #frozen = false;
  #published: PublishedCheckpoint | undefined;

  constructor(key: LogKey, time: number) {
    this.#key = key;
    this.#tree = { size: 0n, root: EMPTY_ROOT, edge: [], time };
  }

  async tree(): Promise<TreeState> {
    return this.#state();
  }

  async commit(
    identities: readonly Uint8Array[],
    integrate: Integrate,
    more: () => readonly Uint8Array[] = () => [],
  ): Promise<void> {
    // Nothing is awaited from here to the end, which is this store's lock.
    const known = [...identities, ...more()].map((identity) => this.#identities.get(encodeHex(identity)));
    const addition = integrate(this.#state(), known);
    if (addition === undefined) return;
    this.#check(addition);
    for (const { level, index, hashes } of addition.tiles) {
      this.#tiles.set(`${level}/${index}`, concatBytes(this.#tile({ level, index }), hashes));
    }
    for (const entry of addition.entries) this.#insert(entry, addition.tree.time);
    this.#tree = addition.tree;
  }

  #check({ entries, tiles }: Addition): void {
    for (const { identity, leaf, leafHash: expected } of entries) {
      if (this.#identities.has(encodeHex(identity))) throw new Error("an identity is there already");
      if (!equalBytes(leafHash(leaf), expected)) throw new Error("a leaf does not have the hash it is stored under");
    }
    for (const { level, index, offset } of tiles) {
      if (this.#tile({ level, index }).length === offset * HASH_SIZE) continue;
      throw new Error("a tile does not hold what the addition builds on");
    }
  }

  #insert({ identity, leaf, leafHash: hash, extra, searchKeys, names }: PlacedEntry, time: number): void {
    const index = BigInt(this.#entries.length);
    this.#entries.push({ index, time, identity, leaf, extra });
    this.#identities.set(encodeHex(identity), index);
    if (!this.#leafHashes.has(encodeHex(hash))) this.#leafHashes.set(encodeHex(hash), index);
    for (const key of searchKeys) {
      const name = nameOf(key);
      this.#searchKeys.set(name, (this.#searchKeys.get(name) ?? new Set()).add(index));
    }
    for (const each of names) this.#names.set(`${encodeHex(each.key)} ${each.name}`, each);
  }

  async publish(checkpoint: PublishedCheckpoint): Promise<PublishedCheckpoint> {
    const standing = this.#published;
    if (standing !== undefined && !isNewer(checkpoint, standing)) return standing;
    if (standing !== undefined && this.#frozen && checkpoint.head.size === standing.head.size) return standing;
    return (this.#published = checkpoint);
  }

  async freeze(): Promise<void> {
    this.#frozen = true;
  }

  async published(): Promise<PublishedCheckpoint | undefined> {
    return this.#published;
  }

  async entries(start: bigint, count: number): Promise<LoggedEntry[]> {
    const asked = this.#entries.slice(Number(start), Number(start) + count);
    let bytes = 0;
    const beyond = asked.findIndex(
      ({ leaf, extra }, at) => (bytes += leaf.length + extra.length) > MOST_READ_BYTES && at > 0,
    );
    return beyond < 0 ? asked : asked.slice(0, beyond);
  }

  async leaves(start: bigint, count: number): Promise<Uint8Array[]> {
    return this.#entries.slice(Number(start), Number(start) + count).map(({ leaf }) => leaf);
  }

  async tiles(tiles: readonly TileName[]): Promise<Uint8Array[]> {
    return tiles.map((tile) => this.#tile(tile));
  }

  async findIndex(by: "identity" | "leaf-hash", hash: Uint8Array): Promise<bigint | undefined> {
    return (by === "identity" ? this.#identities : this.#leafHashes).get(encodeHex(hash));
  }

  async sizesAt(times: readonly number[], size: bigint): Promise<SizeAt[]> {
    const entries = this.#entries.slice(0, Number(size));
    return times.map((time) => {
      const older = BigInt(entries.filter((entry) => entry.time < time).length);
      return { least: older, most: older };
    });
  }

  async entriesAt(indexes: readonly bigint[], extraBytes: number): Promise<PartialEntry[]> {
    const entries = indexes.map((index) => this.#entries[Number(index)]);
    return entries.flatMap((entry) =>
      entry === undefined
        ? []
        : [{ ...entry, extra: entry.extra.slice(0, extraBytes), extraLength: entry.extra.length }],
    );
  }

  async search({ groups, begin, end, order, candidates }: KeySearch): Promise<KeysFound> {
    const has = (keys: readonly SearchKey[], index: bigint) =>
      keys.some((key) => this.#searchKeys.get(nameOf(key))?.has(index));
    const [driver = []] = groups;
    const all = driver.reduce(
      (set, key) => set.union(this.#searchKeys.get(nameOf(key)) ?? new Set()),
      new Set<bigint>(),
    );
    const inRange = [...all].filter((index) => index >= begin && index < end);
    const looked = inRange.sort((a, b) => (a < b === (order === "newest") ? 1 : -1)).slice(0, candidates);
    const indexes = looked.filter((index) => groups.every((keys) => has(keys, index)));
    return { indexes, reached: looked.length < candidates ? undefined : looked.at(-1) };
  }

  async names(prefix: string, limit: number): Promise<Uint8Array[]> {
    const found = [...this.#names.values()].filter(({ name }) => name.startsWith(prefix));
    return found
      .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
      .slice(0, limit)
      .map(({ key }) => key);
  }

  async unindexed(): Promise<bigint> {
    return 0n;
  }

  #tile({ level, index, part }: TileName): Uint8Array {
    const tile = this.#tiles.get(`${level}/${index}`) ?? new Uint8Array();
    const bytes = PART_WIDTH * HASH_SIZE;
    return part === undefined ? tile : tile.slice(part * bytes, (part + 1) * bytes);
  }

  #state(): TreeState {
    return {
      ...this.#key,
      ...this.#tree,
      frozen: this.#frozen,
      published: this.#published && { ...this.#published.head, time: this.#published.time },
      volatile: undefined,
    };
  }
}

function nameOf({ column, bytes }: SearchKey): string {
  return `${column} ${encodeHex(bytes)}`;
}
