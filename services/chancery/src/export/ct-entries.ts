import { TlsReader } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { type LoggedEntry, type LogReader, RecentlyUsed } from "@chancery/log";
import { inclusionProof, leafHash, type TreeHead, verifyInclusion } from "@chancery/tlog";
import { readPage } from "./entry-page.ts";
import { storedHashes } from "./tree-check.ts";

const PAGE = 256;
/** Of 256 hashes each: what the rows of a page of the ledger need, which stand near each other. */
const MOST_TILES = 64;

/** Entries of the published CT log, a page at a time: whoever asks for one asks for the next. */
export class CtEntries {
  readonly #reader: Pick<LogReader, "entries" | "tiles">;
  readonly #head: TreeHead;
  readonly #tiles = new RecentlyUsed<Promise<Uint8Array[]>>(MOST_TILES);
  #page: readonly LoggedEntry[] = [];

  constructor(reader: Pick<LogReader, "entries" | "tiles">, head: TreeHead) {
    this.#reader = reader;
    this.#head = head;
  }

  async at(index: bigint): Promise<LoggedEntry> {
    const first = this.#page[0]?.index ?? index;
    const held = this.#page[Number(index - first)];
    if (held?.index === index) return held;
    const left = this.#head.size - index;
    const read: LoggedEntry[] = [];
    for await (const entries of readPage(this.#reader, index, left < PAGE ? Number(left) : PAGE)) read.push(...entries);
    this.#page = read;
    const [entry] = read;
    if (entry === undefined) throw new RefusedToSign(`entry ${index} of the CT log is missing from the database`);
    return entry;
  }

  /** Throws RefusedToSign unless it is in the published tree, in its place. */
  async provenAt(index: bigint): Promise<LoggedEntry> {
    const entry = await this.at(index);
    const proof = await inclusionProof(index, this.#head.size, storedHashes({ tiles: this.#kept }, this.#head.size));
    try {
      verifyInclusion(proof, leafHash(entry.leaf), this.#head);
    } catch (cause) {
      throw new RefusedToSign(
        `entry ${index} of the CT log is not that of the published tree; chancery fsck says why`,
        {
          cause,
        },
      );
    }
    return entry;
  }

  readonly #kept: LogReader["tiles"] = async ([tile]) => {
    if (tile === undefined) return [];
    const name = `${tile.level}/${tile.index}`;
    let kept = this.#tiles.get(name);
    if (kept === undefined) this.#tiles.set(name, (kept = this.#reader.tiles([tile])));
    return await kept;
  };
}

/** MerkleTreeLeaf { v1(0), timestamped_entry(0), uint64 timestamp, uint16 entry_type, … }, RFC 6962, Section 3.4. */
export function readLeaf({ index, leaf }: LoggedEntry): {
  readonly time: number;
  readonly tbs: Uint8Array | undefined;
} {
  try {
    const reader = new TlsReader(leaf, "leaf");
    if (reader.uint16() !== 0) throw new RangeError("version");
    const time = Number(reader.uint64());
    if (reader.uint16() !== 1) return { time, tbs: undefined };
    reader.bytes(32);
    return { time, tbs: reader.opaque24() };
  } catch (cause) {
    throw new RefusedToSign(`entry ${index} of the CT log cannot be read; chancery fsck says what became of it`, {
      cause,
    });
  }
}
