import { Difference, expectEqual, type Found, NOTHING, notInOrder, tell, unlessFound } from "../domain/difference.ts";
import { HASH_BYTES, hashLeaf, TILE_HASHES, tileHashes } from "../domain/merkle.ts";
import type { Progress } from "../domain/progress.ts";
import { type StatedHead, TreeCheck } from "../domain/tree-check.ts";
import type { LogKind } from "../public/served-log.ts";
import { LookupCheck } from "./lookup-check.ts";
import { differenceFromLeaf, EARLIEST } from "./own-bytes.ts";
import {
  PAGE_ENTRIES,
  type StoredCheckpoint,
  type StoredEntry,
  type StoredLog,
  type StoredTree,
} from "./stored-log.ts";

interface EntryCheckParts {
  readonly log: StoredLog;
  readonly tree: StoredTree;
  readonly heads: readonly StatedHead[];
  readonly published: StoredCheckpoint | undefined;
  readonly kind: LogKind | undefined;
  readonly found: Found;
}

/** Of what stands beside leaves: what a hash above them says may come later. */
const MOST_WAITING = 10_000;

/** Everything that is derived from the entries, in their order. */
export class EntryCheck {
  readonly #log: StoredLog;
  readonly #tree: StoredTree;
  readonly #published: StoredCheckpoint | undefined;
  readonly #merkle: TreeCheck;
  readonly #identities: LookupCheck;
  readonly #leafHashes: LookupCheck;
  readonly #kind: LogKind | undefined;
  readonly #found: Found;
  #next = 0n;
  #time = EARLIEST;
  /** Of those below the checkpoint. */
  #youngest = 0n;
  readonly #besideLeaf: Difference[] = [];
  #unheld = 0;
  #edge: readonly Uint8Array[] | undefined;
  firstTime: bigint | undefined;

  constructor({ log, tree, heads, published, kind, found }: EntryCheckParts) {
    this.#log = log;
    this.#tree = tree;
    this.#published = published;
    this.#kind = kind;
    this.#found = found;
    this.#merkle = new TreeCheck(tree.size, heads, log, { found });
    this.#identities = new LookupCheck(log, "identity", tree.size, found);
    this.#leafHashes = new LookupCheck(log, "leaf hash", tree.size, found);
  }

  /** The next page: of one that is missing what its tile says of it stands in its place. */
  async add(entries: readonly StoredEntry[], progress: Progress): Promise<void> {
    const first = this.#next;
    const left = this.#tree.size - first;
    const end = first + (left < PAGE_ENTRIES ? left : BigInt(PAGE_ENTRIES));
    const here = new Map(entries.map((entry) => [entry.index, entry]));
    const hashes = new Uint8Array(Number(end - first) * HASH_BYTES);
    for (let index = first; index < end; index++) {
      const entry = here.get(index);
      hashes.set(
        entry === undefined ? await this.#missing(index, here) : this.#take(entry),
        Number(index - first) * HASH_BYTES,
      );
      this.#next = index + 1n;
    }
    await this.#merkle.add(hashes);
    // Before its rows are judged: it says which leaf is another.
    if (end === this.#tree.size) this.#edge = await this.#merkle.finish();
    for (let index = first; index < end; index++) {
      const at = Number(index - first) * HASH_BYTES;
      const believed = this.#merkle.believed.get(index);
      const hash = believed ?? hashes.subarray(at, at + HASH_BYTES);
      if (this.#identities.isFull) await this.#checkLookups(progress);
      this.#judgeRows(here.get(index), hash, believed === undefined);
    }
    progress("entries", this.#next, this.#tree.size);
  }

  /** `isOwn`: the hash is of its leaf as it is. */
  #judgeRows(entry: StoredEntry | undefined, hash: Uint8Array, isOwn: boolean): void {
    if (entry !== undefined && isOwn && this.#kind !== undefined) {
      const difference = differenceFromLeaf(this.#kind, entry, hash);
      if (difference !== undefined && this.#besideLeaf.length === MOST_WAITING) this.#unheld += 1;
      else if (difference !== undefined) this.#besideLeaf.push(difference);
    }
    const isGone = entry === undefined;
    if (isOwn || isGone) {
      const identity = entry?.identity;
      this.#identities.add(identity ?? hash, isGone);
      this.#leafHashes.add(identity === undefined ? undefined : hash, isGone);
      return;
    }
    // Its row is another's, and so may be what stands there as its identity: of Rekor's that is the leaf hash, which is known.
    const isRekor = this.#kind !== undefined && this.#kind !== "ctlog";
    this.#identities.add(hash, !isRekor);
    this.#leafHashes.add(this.#kind === "ctlog" ? hash : undefined, this.#kind === undefined);
  }

  async finish(progress: Progress): Promise<void> {
    const edge = (this.#edge ??= await this.#merkle.finish());
    const place = { kind: "tree", field: "edge" } as const;
    await unlessFound(this.#found, () => expectEqual(place, Buffer.concat([...edge]), this.#tree.edge));
    // After the tree, which says of a changed leaf that it is the leaf.
    const { doubted } = this.#merkle;
    const isDoubted = (index: bigint) => doubted.some(({ first, end }) => first <= index && index < end);
    const known = this.#besideLeaf.filter((one) => one.place.kind !== "entry" || !isDoubted(one.place.index));
    tell(this.#found, known, this.#unheld);
    // All of a batch has one time, and so has the tree that it made.
    const time = { kind: "tree", field: "time" } as const;
    if (this.#next > 0n) await unlessFound(this.#found, () => expectEqual(time, this.#time, this.#tree.time));
    this.#expectNoOlder();
    await this.#checkLookups(progress);
  }

  /** Its leaf hash, once its time is right. */
  #take({ index, time, leaf }: StoredEntry): Uint8Array {
    if (time < this.#time) tell(this.#found, [notInOrder(index, time, this.#time)]);
    this.#time = time;
    this.firstTime ??= time;
    if (this.#published?.size === index + 1n) this.#youngest = time;
    return hashLeaf(leaf);
  }

  /** What its tile says of it; nothing where that is gone, too. */
  async #missing(index: bigint, here: ReadonlyMap<bigint, StoredEntry>): Promise<Uint8Array> {
    // One of several side by side was told with the first.
    if (index === 0n || here.has(index - 1n) || index % BigInt(PAGE_ENTRIES) === 0n) {
      const end = this.#tree.size;
      let more = 0;
      for (let next = index + 1n; next < end && next % BigInt(PAGE_ENTRIES) !== 0n && !here.has(next); next++) more++;
      const place = { kind: "entry", index, field: "leaf", ...(more > 0 && { more }) } as const;
      tell(this.#found, [new Difference(place, "an entry", NOTHING)]);
    }
    if (this.#published?.size === index + 1n) this.#youngest = this.#time;
    const tile = index / BigInt(TILE_HASHES);
    const width = tileHashes(0, tile, this.#tree.size);
    const hashes = await this.#log.tile(0, tile, width).catch(() => undefined);
    const at = Number(index % BigInt(TILE_HASHES)) * HASH_BYTES;
    const hash = hashes?.subarray(at, at + HASH_BYTES);
    return hash?.length === HASH_BYTES ? hash : new Uint8Array(HASH_BYTES);
  }

  /** A head is never older than its youngest entry. */
  #expectNoOlder(): void {
    const { time } = this.#published ?? { time: this.#youngest };
    if (time >= this.#youngest) return;
    const place = { kind: "checkpoint", field: "time" } as const;
    tell(this.#found, [new Difference(place, `${this.#youngest} or later`, String(time))]);
  }

  async #checkLookups(progress: Progress): Promise<void> {
    for (const { first, end } of this.#merkle.doubted) {
      this.#identities.forget(first, end);
      this.#leafHashes.forget(first, end);
    }
    await this.#identities.finishWindow(part(progress, "identities", this.#tree.size));
    await this.#leafHashes.finishWindow(part(progress, "leaf hashes", this.#tree.size));
  }
}

/** How much of a step is done, in entries. */
export function part(progress: Progress, step: string, size: bigint): (done: number) => void {
  return (done) => progress(step, BigInt(Math.floor(done * Number(size))), size);
}
