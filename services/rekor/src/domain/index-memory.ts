/** Some 10 MB of entry IDs, or of signatures. */
const MOST = 65_536;

/** What is derived from the entry at an index, which stays what it is: kept for so many indexes, the oldest goes first. */
export class IndexMemory<Value> {
  readonly #values = new Map<bigint, Value>();
  readonly #most: number;

  constructor(most = MOST) {
    this.#most = most;
  }

  get(index: bigint): Value | undefined {
    return this.#values.get(index);
  }

  keep(index: bigint, value: Value): void {
    if (this.#values.has(index)) return;
    // A Map keeps the order of insertion: the first is the oldest.
    for (const oldest of this.#values.keys()) {
      if (this.#values.size < this.#most) break;
      this.#values.delete(oldest);
    }
    this.#values.set(index, value);
  }
}
