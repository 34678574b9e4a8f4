/** Some 10 MB of entry IDs, or of signatures. */
const MOST = 65_536;

interface Kept<Value> {
  readonly index: bigint;
  readonly value: Value;
}

/**
 * What is derived from the entry at an index, which stays what it is: kept for so many indexes, each in the place of the
 * one that is so many before it. A Map was searched four times an entry, and made anew again and again as the oldest went.
 */
export class IndexMemory<Value> {
  readonly #most: number;
  #places: (Kept<Value> | undefined)[] = [];

  constructor(most = MOST) {
    this.#most = most;
  }

  get(index: bigint): Value | undefined {
    const kept = this.#places[this.#placeOf(index)];
    return kept?.index === index ? kept.value : undefined;
  }

  keep(index: bigint, value: Value): void {
    // All at once: an array that is written far behind its end becomes a table that is searched.
    if (this.#places.length === 0) this.#places = Array.from({ length: this.#most });
    this.#places[this.#placeOf(index)] = { index, value };
  }

  #placeOf(index: bigint): number {
    return Number(index) % this.#most;
  }
}
