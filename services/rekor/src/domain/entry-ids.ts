/** Some 10 MB. */
const MOST = 65_536;

/**
 * Entry IDs by index: what was once at an index stays there. A search answers with nothing else, and reading a thousand
 * entries for it, payloads and all, took 1.6 s of CPU for a request of 250 bytes that anyone may repeat.
 */
export class EntryIds {
  readonly #ids = new Map<bigint, string>();
  readonly #most: number;

  constructor(most = MOST) {
    this.#most = most;
  }

  get(index: bigint): string | undefined {
    return this.#ids.get(index);
  }

  keep(index: bigint, id: string): void {
    if (this.#ids.has(index)) return;
    // A Map keeps the order of insertion: the first is the oldest.
    for (const oldest of this.#ids.keys()) {
      if (this.#ids.size < this.#most) break;
      this.#ids.delete(oldest);
    }
    this.#ids.set(index, id);
  }
}
