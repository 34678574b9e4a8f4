import { Malformed } from "@chancery/fault";
import type { Growth } from "./growth.ts";
import { foldNodes, inclusionProofFrom, rangeNodes } from "./hash-tree.ts";
import type { InclusionProof } from "./proof.ts";

/** Inclusion proofs of the leaves a tree has just grown by. They share all but their lowest nodes. */
export class GrownProofs {
  readonly #growth: Growth;
  /** For each level the part of the tree right of its last complete node. */
  readonly #rightEdge: (Uint8Array | undefined)[] = [];
  readonly #shared = new Map<number, Uint8Array>();

  constructor(growth: Growth) {
    this.#growth = growth;
  }

  /**
   * The siblings on the way from the leaf to the root; a node that is the last of its level and a left one has none
   * and is the same on the level above. RFC 9162, Section 2.1.3.1, read from the leaf upwards.
   */
  inclusion(index: bigint): InclusionProof {
    const { size } = this.#growth;
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) return inclusionProofFrom(index, size, this.#growth.lookup);
    if (index < 0n || index >= size) throw new Malformed("leaf index is outside the tree");
    const path: Uint8Array[] = [];
    let [node, last] = [Number(index), Number(size) - 1];
    for (let level = 0; last > 0; level++) {
      if (node % 2 === 1) path.push(this.#node(level, node - 1));
      else if (node < last) path.push(node + 1 < last ? this.#node(level, node + 1) : this.#lastNode(level, last));
      node = Math.floor(node / 2);
      last = Math.floor(last / 2);
    }
    return { index, size, path };
  }

  #node(level: number, index: number): Uint8Array {
    if (level === 0) return this.#growth.lookup({ level, index: BigInt(index) });
    const name = index * 64 + level;
    const known = this.#shared.get(name);
    if (known !== undefined) return known;
    const hash = this.#growth.lookup({ level, index: BigInt(index) });
    this.#shared.set(name, hash);
    return hash;
  }

  /** Complete only where the size happens to end with it. */
  #lastNode(level: number, index: number): Uint8Array {
    return (this.#rightEdge[level] ??= foldNodes(
      rangeNodes(BigInt(index) << BigInt(level), this.#growth.size).map(this.#growth.lookup),
    ));
  }
}
