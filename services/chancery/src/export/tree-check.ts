import { RefusedToSign } from "@chancery/fault";
import { Fault } from "@chancery/fault";
import type { LogReader } from "@chancery/log";
import {
  consistencyProof,
  edgeRoot,
  growTree,
  HASH_SIZE,
  HashTile,
  type HashReader,
  rangeNodes,
  type TreeEdge,
  type TreeHead,
  tileHashReader,
  verifyConsistency,
} from "@chancery/tlog";

/**
 * Holds entries that are read one after the other against a signed tree head. Where the range begins and what follows
 * it comes from stored tiles, which are believed only because all of it together has to hash to the root.
 */
export class TreeCheck {
  readonly #hashes: HashReader;
  readonly #head: TreeHead;
  #edge: TreeEdge;

  private constructor(hashes: HashReader, head: TreeHead, edge: TreeEdge) {
    this.#hashes = hashes;
    this.#head = head;
    this.#edge = edge;
  }

  static async from(start: bigint, reader: Pick<LogReader, "tiles">, head: TreeHead): Promise<TreeCheck> {
    const hashes = storedHashes(reader, head.size);
    const edge = start === 0n ? [] : await hashes(rangeNodes(0n, start));
    return new TreeCheck(hashes, head, { size: start, edge: [...edge] });
  }

  /** As `edge` was when an earlier process had got so far. */
  static resume(edge: TreeEdge, reader: Pick<LogReader, "tiles">, head: TreeHead): TreeCheck {
    return new TreeCheck(storedHashes(reader, head.size), head, edge);
  }

  get edge(): TreeEdge {
    return this.#edge;
  }

  add(leafHashes: readonly Uint8Array[]): void {
    const { size, edge } = growTree(this.#edge, leafHashes);
    this.#edge = { size, edge };
  }

  /** Throws RefusedToSign unless all that was added is in the tree, in its place. */
  async finish(): Promise<void> {
    const { size } = this.#edge;
    try {
      const proof = await consistencyProof(size, this.#head.size, this.#hashes);
      verifyConsistency(proof, { size, root: edgeRoot(this.#edge) }, this.#head);
    } catch (cause) {
      if (!(cause instanceof Fault)) throw cause;
      throw new RefusedToSign(
        `the entries before index ${size} are not those of the published tree (${cause.message}); chancery fsck says which`,
        { cause },
      );
    }
  }
}

/** Nodes of the tree of `size` leaves, from its tiles. */
export function storedHashes(reader: Pick<LogReader, "tiles">, size: bigint): HashReader {
  return tileHashReader(async ({ level, index, width }) => {
    const [hashes = new Uint8Array()] = await reader.tiles([{ level, index }]);
    return new HashTile(hashes.slice(0, width * HASH_SIZE));
  }, size);
}
