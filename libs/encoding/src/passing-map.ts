/** Removals, beside as many as there are entries, after which a map is made anew. */
const RENEWED_AFTER = 128;

/**
 * A Map for what comes and goes, as what is under way does: the same, but that it is made anew now and then, so that what
 * has gone can be collected early.
 *
 * A Map with many removals writes its entries to a new table again and again, and V8 14.6 has each table point to the
 * next, for iterators. Once one of them is in the old generation, all later ones, and whatever stood in them, are kept
 * and moved there too, until that is collected. Of the log's main thread that was three fifths of what was moved, and a
 * third of what had to be copied (v1, 128 clients).
 */
export class PassingMap<Key, Value> {
  #entries = new Map<Key, Value>();
  #removed = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
  }

  /** Whether it was there. */
  delete(key: Key): boolean {
    if (!this.#entries.delete(key)) return false;
    this.#removed += 1;
    if (this.#removed > RENEWED_AFTER + this.#entries.size) {
      this.#entries = new Map(this.#entries);
      this.#removed = 0;
    }
    return true;
  }

  clear(): void {
    this.#entries = new Map();
    this.#removed = 0;
  }

  /** In the order they came; what is removed meanwhile may still be told, as far as it was there when this was called. */
  values(): IterableIterator<Value> {
    return this.#entries.values();
  }
}
