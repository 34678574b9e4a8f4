import { Malformed } from "@chancery/fault";
import type { Growth } from "./growth.ts";
import { foldNodes, inclusionProofFrom, rangeNodes } from "./hash-tree.ts";
import type { InclusionProof } from "./proof.ts";

/** Of more leaves a node's index and level are no one number. */
const LARGEST = 2n ** 46n;

/** Inclusion proofs of the leaves a tree has just grown by. They share all but their lowest nodes. */
export class GrownProofs {
  readonly #growth: Growth;
  /** From nodes above the leaves. */
  readonly #paths = new Map<number, readonly Uint8Array[]>();

  constructor(growth: Growth) {
    this.#growth = growth;
  }

  inclusion(index: bigint): InclusionProof {
    const { size } = this.#growth;
    if (size > LARGEST) return inclusionProofFrom(index, size, this.#growth.lookup);
    if (index < 0n || index >= size) throw new Malformed("leaf index is outside the tree");
    return { index, size, path: this.#path(0, Number(index), Number(size) - 1) };
  }

  /**
   * The siblings on the way from a node to the root; a node that is the last of its level and a left one has none and is
   * the same on the level above. RFC 9162, Section 2.1.3.1, read from the leaf upwards.
   */
  #path(level: number, node: number, last: number): readonly Uint8Array[] {
    if (last === 0) return [];
    const name = node * 64 + level;
    const known = this.#paths.get(name);
    if (known !== undefined) return known;
    const above = this.#path(level + 1, Math.floor(node / 2), Math.floor(last / 2));
    const sibling = node % 2 === 1 ? this.#node(level, node - 1) : node < last && this.#right(level, node + 1, last);
    const path = sibling === false ? above : [sibling, ...above];
    // A leaf is proven once.
    if (level > 0) this.#paths.set(name, path);
    return path;
  }

  #node(level: number, index: number): Uint8Array {
    return this.#growth.lookup({ level, index: BigInt(index) });
  }

  /** The last of a level is complete only where the size happens to end with it. */
  #right(level: number, index: number, last: number): Uint8Array {
    if (index < last) return this.#node(level, index);
    const { size, lookup } = this.#growth;
    return foldNodes(rangeNodes(BigInt(index) << BigInt(level), size).map(lookup));
  }
}
